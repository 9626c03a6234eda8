"""Hypothesis strategies: specs with rules that are bent at random, small bounds, and promises."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from attrs import evolve, frozen
from hypothesis import strategies as st

from zabspec.check.abstract import AtomicBroadcast
from zabspec.check.bounds import Bounds
from zabspec.check.outcomes import AnyServer, Outcome
from zabspec.check.promises import PROMISES
from zabspec.check.properties import Property, always, every_step
from zabspec.protocol.effects import CloseAll, Effect, Ready, Send, Step, Write
from zabspec.protocol.election import most_recent
from zabspec.protocol.events import Event
from zabspec.protocol.paper import PAPER
from zabspec.protocol.rules import RuleFunction, Spec, anyone
from zabspec.protocol.state import Ensemble, Leader, Looking
from zabspec.protocol.zab import BASELINE, COARSE, FINE

Effects = tuple[Effect, ...]
Bend = Callable[[Effects, int], Effects]


def drop(effects: Effects, at: int) -> Effects:
    return effects[:at] + effects[at + 1 :]


def swap(effects: Effects, at: int) -> Effects:
    return effects[:at] + effects[at + 1 : at + 2] + effects[at : at + 1] + effects[at + 2 :]


def send_twice(effects: Effects, at: int) -> Effects:
    return effects[: at + 1] + tuple(one for one in effects[at:] if isinstance(one, Send))


def write_nothing(effects: Effects, _at: int) -> Effects:
    return tuple(one for one in effects if not isinstance(one, Write))


def do_nothing(_effects: Effects, _at: int) -> Effects:
    return ()


@frozen
class Bent:
    """How a rule is bent. stays: its server is as it was before."""

    bend: Bend
    at: int
    stays: bool

    def of(self, rule: RuleFunction) -> RuleFunction:
        def bent(server: AnyServer, event: Event, ensemble: Ensemble) -> Step:
            step = rule(server, event, ensemble)
            effects = self.bend(step.effects, self.at)
            return Step(server if self.stays else step.server, effects)

        return bent


def nobody(_looking: Sequence[AnyServer]) -> tuple[int, ...]:
    return ()


def the_first(looking: Sequence[AnyServer]) -> tuple[int, ...]:
    return (looking[0].sid,)


@always("nobody promises a second epoch")
def one_epoch(server: AnyServer) -> bool:
    return server.disk.accepted_epoch <= 1


@always("no two servers lead")
def one_leads(server: AnyServer, other: AnyServer) -> bool:
    return not (isinstance(server.role, Leader) and isinstance(other.role, Leader))


@always("a primary never looks again")
def primaries_stay(server: AnyServer, monitor: AtomicBroadcast) -> bool:
    looks = isinstance(server.role, Looking)
    return not (looks and any(sid == server.sid for _, sid in monitor.primaries))


@always("not all hold the same")
def not_all_alike(servers: tuple[AnyServer, ...], monitor: AtomicBroadcast) -> bool | None:
    logs = {server.disk.log for server in servers}
    return len(logs) > 1 or () in logs if monitor.broadcast else None


@every_step("nobody closes a connection")
def all_stay(outcome: Outcome) -> bool:
    return not any(isinstance(effect, CloseAll) for effect in outcome.effects)


@every_step("only one server is ever ready")
def one_ready(outcome: Outcome, monitor: AtomicBroadcast) -> bool:
    ready = any(isinstance(effect, Ready) for effect in outcome.effects)
    return not (ready and any(sid != outcome.before.sid for _, sid in monitor.primaries))


ARTIFICIAL = (one_epoch, one_leads, primaries_stay, not_all_alike, all_stay, one_ready)
"""One property for each choice of what to read; the sound specs break all of them somewhere."""


def properties() -> st.SearchStrategy[tuple[Property, ...]]:
    """Some promises, or all; sometimes with an artificial one among them."""
    promises = st.one_of(st.just(PROMISES), st.lists(st.sampled_from(PROMISES), unique=True))
    more = st.lists(st.sampled_from(ARTIFICIAL), max_size=1)
    return st.builds(lambda some, other: (*some, *other), promises, more)


@st.composite
def specs(draw: st.DrawFn) -> Spec:
    """PAPER, or ZooKeeper's grain with more or less of it fused, with up to three rules bent.

    Not one of what is fused: it would come again at once, for ever, if it did nothing.
    """
    spec = draw(st.sampled_from((PAPER, BASELINE, FINE, COARSE)))
    rules = {
        rule.name: rule.function
        for rule, rows in spec.rules()
        if rule.because is None and not any(kind in spec.fused for _, _, kind in rows)
    }
    bends = st.sampled_from((drop, swap, send_twice, write_nothing, do_nothing))
    bent = st.builds(Bent, bends, st.integers(0, 3), st.booleans())
    chosen = draw(st.dictionaries(st.sampled_from(sorted(rules)), bent, max_size=3))
    name = "-".join((spec.name, *chosen))
    spec = spec.but(name, **{name: how.of(rules[name]) for name, how in chosen.items()})
    return evolve(spec, oracle=draw(st.sampled_from((anyone, most_recent, the_first, nobody))))


def bounds(servers: int) -> st.SearchStrategy[Bounds]:
    """So many servers or fewer, and little of everything else."""
    few = st.integers(0, 1)
    return st.builds(
        Bounds,
        st.integers(2, servers),
        txns=st.integers(0, 2),
        lost_links=few,
        crashes=few,
        elections=st.integers(1, 2),
        limits=few,
        window=st.sampled_from((0, 1, 500)),
    )
