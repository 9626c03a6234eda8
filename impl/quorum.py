"""Who votes, and when enough have said yes: majorities, groups with weights, two configurations."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol

from attrs import evolve, field, frozen

from impl.configuration import (
    PARTICIPANT,
    ConfigError,
    Configuration,
    QuorumServer,
    read_configuration,
)

__all__ = [
    "ConfigError",
    "QuorumHierarchical",
    "QuorumMaj",
    "QuorumServer",
    "QuorumVerifier",
    "SyncedLearnerTracker",
    "quorum_verifier",
]


class QuorumVerifier(Protocol):
    """A configuration: servers, which sets of them are a quorum, a version. Never changes.

    all_members, voting_members, observing_members: by sid, in the order of the text.
    str() is the configuration as text, as in NEWLEADER: lines, with no newline at the end.
    """

    @property
    def version(self) -> int:
        """Grows with every reconfiguration; 0 while there was none."""

    @property
    def all_members(self) -> Mapping[int, QuorumServer]:
        """Every server of the configuration."""

    @property
    def voting_members(self) -> Mapping[int, QuorumServer]:
        """The participants."""

    @property
    def observing_members(self) -> Mapping[int, QuorumServer]:
        """The observers."""

    def get_weight(self, sid: int) -> int:
        """What this server's vote counts; one that counts 0 never wins an election."""

    def contains_quorum(self, sids: Collection[int]) -> bool:
        """Whether these are a quorum. Sids that have no vote count nothing."""

    def with_version(self, version: int) -> QuorumVerifier:
        """The same servers under another version."""


def quorum_verifier(text: str) -> QuorumVerifier:
    """Read a configuration: server.N, group.N, weight.N, version. Raises ConfigError.

    Groups or weights make it hierarchical. Models QuorumPeerConfig.parseDynamicConfig.
    """
    configuration = read_configuration(text)
    if configuration.groups or configuration.weights:
        return QuorumHierarchical(configuration)
    return QuorumMaj(configuration)


@frozen
class QuorumMaj:
    """More than half of the participants. Models QuorumMaj."""

    configuration: Configuration
    voting_members: Mapping[int, QuorumServer] = field(init=False, eq=False, repr=False)

    @voting_members.default
    def _voting_members(self) -> Mapping[int, QuorumServer]:
        return self.configuration.members(PARTICIPANT)

    @property
    def version(self) -> int:
        """Of the configuration."""
        return self.configuration.version

    @property
    def all_members(self) -> Mapping[int, QuorumServer]:
        """Every server."""
        return self.configuration.servers

    @property
    def observing_members(self) -> Mapping[int, QuorumServer]:
        """Those without a vote."""
        return self.configuration.members("observer")

    def get_weight(self, _sid: int) -> int:
        """Always 1, also for one without a vote. Models QuorumMaj.getWeight."""
        return 1

    def contains_quorum(self, sids: Collection[int]) -> bool:
        """Whether these are more than half.

        Models QuorumMaj.containsQuorum. Differs: that counts strangers, too, if it is given any.
        """
        votes = sum(sid in sids for sid in self.voting_members)
        return votes > len(self.voting_members) // 2

    def with_version(self, version: int) -> QuorumMaj:
        """The same servers under another version."""
        return QuorumMaj(evolve(self.configuration, version=version))

    def __str__(self) -> str:
        return self.configuration.text()


@frozen
class QuorumHierarchical:
    """More than half of the weight in more than half of the groups. Models QuorumHierarchical.

    A group in which nobody weighs anything does not count.
    """

    configuration: Configuration
    voting_members: Mapping[int, QuorumServer] = field(init=False, eq=False, repr=False)
    group_weights: Mapping[int, int] = field(init=False, eq=False, repr=False)

    @voting_members.default
    def _voting_members(self) -> Mapping[int, QuorumServer]:
        voters = self.configuration.members(PARTICIPANT)
        for sid in voters:
            if sid not in self.configuration.group_of:
                raise ConfigError(f"server.{sid} is in no group, expected each voter in one")
        return voters

    @group_weights.default
    def _group_weights(self) -> Mapping[int, int]:
        groups = self.configuration.groups
        summed = {group: sum(map(self.get_weight, sids)) for group, sids in groups.items()}
        if not any(summed.values()):
            raise ConfigError("no group in which a server weighs anything, expected one")
        return summed

    @property
    def version(self) -> int:
        """Of the configuration."""
        return self.configuration.version

    @property
    def all_members(self) -> Mapping[int, QuorumServer]:
        """Every server."""
        return self.configuration.servers

    @property
    def observing_members(self) -> Mapping[int, QuorumServer]:
        """Those without a vote."""
        return self.configuration.members("observer")

    def get_weight(self, sid: int) -> int:
        """1 where nothing is said, 0 for one without a vote. Models QuorumHierarchical.getWeight.

        Differs: ZooKeeper fails for an observer without a weight, and lets one with a weight weigh.
        """
        return self.configuration.weights.get(sid, 1) if sid in self.voting_members else 0

    def contains_quorum(self, sids: Collection[int]) -> bool:
        """Models QuorumHierarchical.containsQuorum."""
        weights = {group: weight for group, weight in self.group_weights.items() if weight}
        won = 0
        for group, weight in weights.items():
            members = self.configuration.groups[group]
            won += sum(self.get_weight(sid) for sid in members if sid in sids) > weight // 2
        return won > len(weights) // 2

    def with_version(self, version: int) -> QuorumHierarchical:
        """The same servers under another version."""
        return QuorumHierarchical(evolve(self.configuration, version=version))

    def __str__(self) -> str:
        """ZooKeeper writes a weight for each voter, whether one was given or not."""
        given = self.configuration.weights
        weights = {**given, **{sid: 1 for sid in self.voting_members if sid not in given}}
        return evolve(self.configuration, weights=weights).text()


class SyncedLearnerTracker:
    """Who has acknowledged, by each configuration that is involved. Models SyncedLearnerTracker.

    While a reconfiguration is under way there are two, and both have to agree.
    """

    def __init__(self, *verifiers: QuorumVerifier) -> None:
        self._pairs: list[tuple[QuorumVerifier, set[int]]] = []
        for verifier in verifiers:
            self.add_quorum_verifier(verifier)

    def add_quorum_verifier(self, verifier: QuorumVerifier) -> None:
        """Ask this configuration too. It knows of no acknowledgement yet."""
        self._pairs.append((verifier, set()))

    def add_ack(self, sid: int) -> bool:
        """Count it where it votes; whether it votes anywhere."""
        voted = False
        for verifier, acked in self._pairs:
            if sid in verifier.voting_members:
                acked.add(sid)
                voted = True
        return voted

    def has_sid(self, sid: int) -> bool:
        """Whether it votes in every configuration."""
        return all(sid in verifier.voting_members for verifier, _ in self._pairs)

    def has_all_quorums(self) -> bool:
        """Whether every configuration has a quorum; so it is with no configuration at all."""
        return all(verifier.contains_quorum(acked) for verifier, acked in self._pairs)
