"""A simulated ensemble: servers, the connections between them, and who is elected.

Nothing happens but by the methods below, each of which is one choice, and lets one event happen to
one server, or to each of those that notice it. Every event is told to `watch`, in order, with what
was seen of it: with the same events the servers do the same again. Each choice is told to `chosen`
before: with the same choices the ensemble does the same again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from attrs import frozen

from impl import simulated_events as events
from impl.choices import (
    Answer,
    Arrive,
    Choice,
    Cut,
    Elect,
    Happens,
    Join,
    Kill,
    LosePower,
    Restart,
)
from impl.quorum import QuorumVerifier
from impl.simulated_events import Event
from impl.simulated_links import Link, Links, Way
from impl.simulated_loop import SimulationError
from impl.simulated_observations import (
    ConnectAsked,
    ConnectGivenUp,
    ConnectionClosed,
    ElectionAsked,
    Observation,
    ProcessEnded,
    Sent,
)
from impl.simulated_server import SimulatedServer
from impl.vote_order import Vote, agreed

Watch = Callable[[int, Event, Sequence[Observation]], None]
"""Is told each event: the server, the event, and what was seen of it."""


@frozen
class Dial:
    """A server waits for an answer of a leader that it wants to connect to."""

    learner: int
    attempt: int
    leader: int


def replay(
    servers: Mapping[int, SimulatedServer], choices: Iterable[tuple[int, Event]], watch: Watch
) -> None:
    """Let the events of a run, server by server in their order, happen again to fresh servers."""
    for sid, event in choices:
        watch(sid, event, servers[sid].step(event))


class Ensemble:
    """Servers by sid, and all that is between them.

    verifier: who votes, and what a quorum is. links: the connections. votes: of the servers that
    wait for an election. leaders: whom each of the others follows, or leads. dials: unanswered.
    chosen: is told each choice; None = nobody is.
    """

    def __init__(
        self,
        servers: Mapping[int, SimulatedServer],
        verifier: QuorumVerifier,
        watch: Watch = lambda *_: None,
    ) -> None:
        self.servers = dict(sorted(servers.items()))
        self.verifier = verifier
        self.links = Links()
        self.votes: dict[int, ElectionAsked] = {}
        self.leaders: dict[int, int] = {}
        self.dials: dict[Dial, None] = {}
        self._watch = watch
        self.chosen: Callable[[Choice], None] | None = None
        self._see: Mapping[type, Callable[[int, Any], None]] = {
            Sent: self._sent,
            ConnectionClosed: self._closed,
            ConnectAsked: self._dialled,
            ConnectGivenUp: self._gave_up,
            ElectionAsked: self._looks,
            ProcessEnded: self._ended,
        }

    def close(self) -> None:
        """End the simulation of all servers."""
        for server in self.servers.values():
            server.close()

    # Choices.

    def happen(self, sid: int, event: Event) -> tuple[Observation, ...]:
        """Let something happen to one server that concerns nobody else; what was seen of it."""
        self._choose(Happens(sid, event))
        return self.tell(sid, event)

    def arrive(self, way: Way) -> None:
        """What is next in flight arrives, or the end of it."""
        if self.chosen is not None:
            older = self.links.between(way.sender, way.receiver).index(way)
            self.chosen(Arrive(way.sender, way.receiver, older))
        self.tell(way.receiver, self.links.next(way))

    def answer(self, dial: Dial) -> Link | None:
        """A server that dialled reaches the other; None, and it is refused, if nobody listens."""
        self._choose(Answer(dial.learner, dial.leader))
        del self.dials[dial]
        if not self.servers[dial.leader].is_listening:
            self.tell(dial.learner, events.ConnectRefused(dial.attempt))
            return None
        link = self.links.open(dial.learner, dial.leader)
        self.tell(dial.learner, events.ConnectAnswered(dial.attempt, link.name))
        self.tell(dial.leader, events.ConnectionAccepted(link.name, dial.learner))
        return link

    def elect(self, leader: int, electorate: Iterable[int]) -> None:
        """Servers that look for a leader agree on one of them: a quorum, by its votes."""
        agreed = sorted(electorate)
        self._refuse_election(leader, agreed)
        self._choose(Elect(leader, tuple(agreed)))
        vote = self.votes[leader]
        for sid in agreed:
            self._elected(sid, vote)

    def join(self, sid: int) -> None:
        """A server that looks for a leader is told who leads the others."""
        leader = self.reigning()
        if leader is None or sid not in self.votes:
            raise SimulationError(f"server {sid} looks for no leader, or there is none")
        self._choose(Join(sid))
        self._elected(sid, ElectionAsked(leader, self.votes[sid].zxid, self.votes[sid].epoch))

    def cut(self, link: Link, survives: tuple[int, int] = (0, 0), torn: int = 0) -> None:
        """A connection is lost, with any end of what is in flight; both servers learn of it."""
        if self.chosen is not None:
            older = self.links.of_both(link.learner, link.leader).index(link)
            self.chosen(Cut(link.learner, link.leader, older, *survives, torn))
        self.links.cut(link, survives, torn)

    def kill(self, sid: int) -> None:
        """Kill a process. What it sent before still arrives, and then an end."""
        self._choose(Kill(sid))
        self._stop(sid, events.Killed())

    def lose_power(
        self, sid: int, survives: Mapping[str, int], names: int, in_flight: int = 0
    ) -> None:
        """A server loses power: see `PowerLost`. in_flight: of each connection, writes that arrive.

        The others learn of it as of a cut.
        """
        left = tuple(sorted(survives.items()))
        self._choose(LosePower(sid, left, names, in_flight))
        for link in self.links.of(sid):
            link.from_(sid).lose(in_flight)
        self._stop(sid, events.PowerLost(left, names))

    def restart(self, sid: int) -> None:
        """Start a server that is down."""
        self._choose(Restart(sid))
        self.tell(sid, events.Restarted())

    def tell(self, sid: int, event: Event) -> tuple[Observation, ...]:
        """One server meets an event, as a part of a choice that somebody else has told."""
        server = self.servers[sid]
        seen = server.step(event)
        self._watch(sid, event, seen)
        for one in seen:
            see = self._see.get(type(one))
            if see is not None:
                see(sid, one)
        return seen

    # What can be chosen.

    def looking(self) -> list[int]:
        """The voters that wait for an election."""
        return [sid for sid in self.votes if sid in self.verifier.voting_members]

    def best(self, electorate: Iterable[int]) -> int | None:
        """Whom these elect; None if they agree on nobody."""
        votes = [(self.votes[sid], sid) for sid in electorate]
        return agreed([Vote(vote.epoch, vote.zxid, sid) for vote, sid in votes])

    def reigning(self) -> int | None:
        """Who was elected, and whom a quorum still follows; None if there is no such server."""
        leading = [sid for sid, leader in self.leaders.items() if sid == leader]
        for one in leading:
            followers = [sid for sid, leader in self.leaders.items() if leader == one]
            if self.verifier.contains_quorum(followers):
                return one
        return None

    # How.

    def _choose(self, choice: Choice) -> None:
        if self.chosen is not None:
            self.chosen(choice)

    def _refuse_election(self, leader: int, electorate: Sequence[int]) -> None:
        missing = set(electorate).difference(self.looking())
        if missing:
            raise SimulationError(f"servers {sorted(missing)} look for no leader, or have no vote")
        if leader not in electorate or not self.verifier.contains_quorum(electorate):
            raise SimulationError(f"servers {list(electorate)} are no quorum that has {leader}")

    def _elected(self, sid: int, vote: ElectionAsked) -> None:
        del self.votes[sid]
        self.leaders[sid] = vote.leader
        self.tell(sid, events.Elected(vote.leader, vote.zxid, vote.epoch))

    def _stop(self, sid: int, event: Event) -> None:
        self.tell(sid, event)
        self._gone(sid)

    def _gone(self, sid: int) -> None:
        for link in self.links.of(sid):
            self.links.close(link.name, sid)
        self.votes.pop(sid, None)
        self.leaders.pop(sid, None)
        self.dials = {one: None for one in self.dials if one.learner != sid}

    def _sent(self, sid: int, seen: Sent) -> None:
        self.links.send(seen.connection, sid, seen.written)

    def _closed(self, sid: int, seen: ConnectionClosed) -> None:
        self.links.close(seen.connection, sid)

    def _dialled(self, sid: int, seen: ConnectAsked) -> None:
        self.dials[Dial(sid, seen.attempt, seen.peer)] = None

    def _gave_up(self, sid: int, seen: ConnectGivenUp) -> None:
        self.dials = {
            one: None for one in self.dials if (one.learner, one.attempt) != (sid, seen.attempt)
        }

    def _looks(self, sid: int, seen: ElectionAsked) -> None:
        self.votes[sid] = seen
        self.leaders.pop(sid, None)

    def _ended(self, sid: int, _seen: ProcessEnded) -> None:
        self._gone(sid)
