"""Configurations of an ensemble, as ZooKeeper writes them: who votes, and what a quorum is."""

from __future__ import annotations

import re
from collections.abc import Set as AbstractSet

from attrs import field, frozen

_SERVER = re.compile(r"server\.(-?[0-9]{1,18})")
_GROUP = re.compile(r"group\.[0-9]{1,18}")
_WEIGHT = re.compile(r"weight\.(-?[0-9]{1,18})")
_GROUP_MEMBERS = re.compile(r"-?[0-9]{1,18}(:-?[0-9]{1,18})*")
_VERSION = re.compile(r"[0-9a-fA-F]{1,16}")


@frozen
class Configuration:
    """The servers of an ensemble, and which of them make a quorum.

    Majority of the voters, or, where the text has groups, more than half of the weight in more
    than half of the groups (QuorumMaj, QuorumHierarchical).
    """

    version: int
    """0 while reconfiguration is off, else the zxid that made it, as a number."""
    voters: frozenset[int]
    observers: frozenset[int]
    groups: tuple[frozenset[int], ...] = ()
    """Empty: a majority of the voters is a quorum."""
    weights: tuple[tuple[int, int], ...] = field(default=())
    """Of the servers whose weight is not 1."""

    def is_quorum(self, sids: AbstractSet[int]) -> bool:
        """Whether these servers are a quorum; those that do not vote are not counted."""
        counted = self.voters & sids
        if not self.groups:
            return len(counted) * 2 > len(self.voters)
        weight_of = dict(self.weights)
        weighted = [
            (_weight(group & counted, weight_of), _weight(group, weight_of))
            for group in self.groups
        ]
        voting_groups = [(part, whole) for part, whole in weighted if whole]
        return sum(part * 2 > whole for part, whole in voting_groups) * 2 > len(voting_groups)

    def __str__(self) -> str:
        return "{" + ", ".join(map(str, sorted(self.voters))) + "}"


def parse_configuration(text: str) -> Configuration:
    """The configuration in this text: lines server.N=, group.N=, weight.N= and version=.

    Raises ValueError, saying what was read and what was expected.
    """
    pairs = [(key, value) for key, _, value in (line.partition("=") for line in text.splitlines())]
    servers = [(int(m[1]), value) for key, value in pairs if (m := _SERVER.fullmatch(key))]
    observers = frozenset(sid for sid, value in servers if _is_observer(value))
    voters = frozenset(sid for sid, _ in servers) - observers
    if not voters:
        raise ValueError("read a configuration without a voter, expected lines server.N=...")
    return Configuration(
        version=_version(pairs),
        voters=voters,
        observers=observers,
        groups=tuple(_members(value) for key, value in pairs if _GROUP.fullmatch(key)),
        weights=tuple((int(m[1]), _small(v)) for key, v in pairs if (m := _WEIGHT.fullmatch(key))),
    )


def _weight(sids: AbstractSet[int], weight_of: dict[int, int]) -> int:
    return sum(weight_of.get(sid, 1) for sid in sids)


def _is_observer(address: str) -> bool:
    return address.partition(";")[0].rstrip().endswith(":observer")


def _version(pairs: list[tuple[str, str]]) -> int:
    text = next((value for key, value in pairs if key == "version"), "0")
    if not _VERSION.fullmatch(text):
        raise ValueError(f"read configuration version {text[:40]!a}, expected a hex number")
    return int(text, 16)


def _members(text: str) -> frozenset[int]:
    if not _GROUP_MEMBERS.fullmatch(text):
        raise ValueError(f"read group {text[:40]!a}, expected server ids joined by colons")
    return frozenset(map(int, text.split(":")))


def _small(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,18}$", text):
        raise ValueError(f"read weight {text[:40]!a}, expected a number")
    return int(text)
