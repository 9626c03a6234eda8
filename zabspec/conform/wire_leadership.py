"""One leadership: a server that offered an epoch, and whose support for it was seen."""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from attrs import define, field

from zabspec.conform.recording_configuration import Configuration
from zabspec.conform.wire_connection import Connection
from zabspec.protocol.state import Zxid


@define(eq=False)
class Leadership:
    """What its learners told a leader in one epoch, and which configurations count in it."""

    leader: int
    epoch: int
    earliest_introduction: int
    """Of the learners that got its LEADERINFO, the line of the first introduction."""
    latest_introduction: int
    is_established: bool = False
    """Whether a NEWLEADER of it was seen."""
    configuration: Configuration | None = None
    """As its first NEWLEADER has it; None = not seen, or not in the recording."""
    epoch_acks: set[int] = field(factory=set)
    """Learners whose ACKEPOCH counts and could have been read."""
    newleader_acks: set[int] = field(factory=set)
    acks: dict[Zxid, set[int]] = field(factory=dict)
    patchy: dict[str, Connection] = field(factory=dict)
    """Its connections of which packets may have been left out of the recording."""
    _reconfig_zxids: list[Zxid] = field(factory=list)
    _reconfigured: list[Configuration | None] = field(factory=list)

    def offer(self, introduction_line: int) -> None:
        """Its LEADERINFO answered the introduction on this line."""
        self.earliest_introduction = min(self.earliest_introduction, introduction_line)
        self.latest_introduction = max(self.latest_introduction, introduction_line)

    def establish(self, configuration: Configuration | None) -> None:
        """A NEWLEADER with this configuration was sent; the first one tells."""
        if not self.is_established:
            self.is_established = True
            self.configuration = configuration

    def reconfigure(self, zxid: Zxid, configuration: Configuration | None) -> None:
        """A reconfiguration was proposed; None = its text is not in the recording."""
        at = bisect_left(self._reconfig_zxids, zxid)
        if zxid not in self._reconfig_zxids[at : at + 1]:
            self._reconfig_zxids.insert(at, zxid)
            self._reconfigured.insert(at, configuration)

    def configurations_for(self, zxid: Zxid) -> list[Configuration | None]:
        """Those whose quorums a transaction needs at least; None = one that is not known.

        A reconfiguration needs the old one and the new one, what comes after it the new one. (What
        was proposed before the reconfiguration was committed needs the old one too, but when it
        was committed is not on the wire.)
        """
        at = bisect_right(self._reconfig_zxids, zxid)
        in_order = [self.configuration, *self._reconfigured[max(at - 2, 0) : at]]
        is_reconfiguration = self._reconfig_zxids[at - 1 : at] == [zxid]
        return in_order[-2:] if is_reconfiguration else in_order[-1:]

    def acked(self, zxid: Zxid) -> set[int]:
        """Learners whose ACK could have been read, or may have been left out of the recording."""
        left_out = {found.learner for found in self.patchy.values() if found.may_have_missed(zxid)}
        return left_out | self.acks.get(zxid, set())
