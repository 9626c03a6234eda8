"""Scripts told anew: the same actions and comments, with what they lead to now."""

from __future__ import annotations

from pathlib import Path

from zabspec.check.model import load_specs
from zabspec.check.play import Played, play
from zabspec.check.promises import PROMISES
from zabspec.check.script import INDENT, parse_script
from zabspec.protocol.rules import Spec

FOLDER = Path(__file__).parent / "scripts"
SCRIPTS = sorted(FOLDER.rglob("*.txt"))


def spec_of(path: Path) -> Spec:
    return load_specs()[parse_script(path.read_text(encoding="utf-8"), str(path)).spec]


def played(path: Path) -> tuple[Played, ...]:
    script = parse_script(path.read_text(encoding="utf-8"), str(path))
    return tuple(play(script, spec_of(path), PROMISES))


def outputs_by_line(text: str, path: str) -> dict[int, tuple[str, ...]]:
    script = parse_script(text, path)
    spec = load_specs()[script.spec]
    return {one.line.number: one.outputs for one in play(script, spec, PROMISES)}


def told_anew(text: str, path: str = "script") -> str:
    """The text with its outputs, and the fingerprint of its spec, as they are now."""
    spec = load_specs()[parse_script(text, path).spec]
    outputs = outputs_by_line(text, path)
    lines: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if line.startswith(f"spec {spec.name}"):
            lines.append(f"spec {spec.name} {spec.fingerprint()}")
        elif not line.strip() or not line.startswith(INDENT):
            lines += (line, *(INDENT + one for one in outputs.get(number, ())))
    return "\n".join(lines) + "\n"


def claim(path: Path) -> str:
    """The first comment: what the script shows."""
    lines = path.read_text(encoding="utf-8").splitlines()[3:]
    comment = []
    for line in lines:
        if not line.startswith("# "):
            break
        comment.append(line.removeprefix("# "))
        if line.endswith("."):
            break
    return " ".join(comment)
