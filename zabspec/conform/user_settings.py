"""The settings of lockstep beside those of the user's own Hypothesis profile, which come first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import Phase, settings

from zabspec.conform.machine import Profile

_OURS = ("report_multiple_bugs", "print_blob", "stateful_step_count", "max_examples")
"""What decides how a run is told, and how much there is of it."""
_THEIRS = (
    "derandomize",
    "deadline",
    "database",
    "verbosity",
    "suppress_health_check",
    "backend",
)


def runs_of(profile: Profile, *, is_asked: bool) -> int:
    """How many: as the user's profile says, if it does and nobody asked for this one."""
    return profile.runs if is_asked else _said().get("max_examples", profile.runs)


def with_users(profile: Profile) -> settings:
    """The settings of a profile, where the user's own profile does not say otherwise.

    Only runs are shrunk here as scripts, whatever it says.
    """
    said = _said()
    theirs = {name: said[name] for name in _THEIRS if name in said}
    if "phases" in said:
        theirs["phases"] = [
            one for one in said["phases"] if one not in (Phase.shrink, Phase.explain)
        ]
    return settings(profile.settings, **theirs)


def _said() -> Mapping[str, Any]:
    """What the loaded profile says otherwise than Hypothesis does by itself."""
    loaded, usual = settings(), settings.get_profile("default")
    names = (*_THEIRS, *_OURS, "phases")
    return {
        name: getattr(loaded, name)
        for name in names
        if getattr(loaded, name) != getattr(usual, name)
    }
