"""The zoo's scoreboard: which strategy finds which bug, at what price."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from attrs import frozen

from zabspec.conform.zoo import Bug
from zabspec.conform.zoo_strategies import STRATEGIES, Effort, Found, MakeSystem, Say, Search


@frozen
class Score:
    """One bug. found: by strategy, of those that were tried; None: it was not."""

    bug: Bug
    found: Mapping[str, Found | None]

    @property
    def missed(self) -> list[str]:
        """The strategies that were tried and did not find it."""
        return [name for name, found in self.found.items() if found is None]


def play(
    bugs: Sequence[Bug],
    strategies: Sequence[str],
    effort: Effort,
    make_system: MakeSystem | None,
    say: Say,
) -> Iterator[Score]:
    """The score of each bug. Raises ZooError, and SystemFailed."""
    for number, bug in enumerate(bugs, start=1):
        found = {}
        for name in strategies:
            title = f"{bug.name} ({number} of {len(bugs)}), {name}"
            say(title)
            search = Search(bug, effort, make_system, _below(title, say))
            found[name] = STRATEGIES[name](search)
        yield Score(bug, found)


def _below(title: str, say: Say) -> Say:
    return lambda text: say(f"{title}: {text}")
