"""Pictures, where matplotlib is installed (`pip install zabspec[bench]`)."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Draw = Callable[["Axes"], None]


def write_picture(path: Path, *draws: Draw) -> None:
    """One SVG with a panel for each, side by side; the same bytes from the same figures."""
    if find_spec("matplotlib") is None:
        print(f"{path.name} is not drawn: matplotlib is not installed", file=sys.stderr)
        return
    import matplotlib as mpl  # noqa: PLC0415  it takes a second, and what starts runs stays small

    mpl.use("svg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    mpl.rcParams["svg.hashsalt"] = path.name
    figure, panels = plt.subplots(
        1, len(draws), figsize=(5.5 * max(len(draws), 2), 5), squeeze=False, layout="constrained"
    )
    for panel, draw in zip(panels[0], draws, strict=True):
        draw(panel)
    figure.savefig(path, metadata={"Date": None, "Creator": None})
    plt.close(figure)
