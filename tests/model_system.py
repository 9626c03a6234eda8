"""A spec as a system under test: the harness held against what is known to be the same, or not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from zabspec.check.outcomes import AnyServer, Outcome, cuts, uncut
from zabspec.conform.plain import Plain, plain_disk, plain_packet, plain_server
from zabspec.protocol import disk, events
from zabspec.protocol.effects import Close, CloseAll, Effect, Open, Send, Write
from zabspec.protocol.messages import PACKETS, Packet
from zabspec.protocol.rules import Spec
from zabspec.protocol.state import Connection, Disk, Ensemble, Txn, Zxid, new_server
from zabspec.protocol.zab import BASELINE, threads

KEYS = {
    "role": {"role", "phase", "leader"},
    "epochs": {"accepted_epoch", "current_epoch"},
    "durable": {"durable", "snapshot"},
    "database": {"holds", "last_zxid", "window"},
}


class ModelSystem:
    """Servers that keep to a spec. takes, shows: less than all, where that is asked for."""

    def __init__(
        self,
        spec: Spec = BASELINE,
        takes: Iterable[str] = ("fsync", "apply", "cut"),
        shows: Iterable[str] = tuple(KEYS),
    ) -> None:
        self.spec, self.takes, self.shows = spec, frozenset(takes), frozenset(shows)
        self.events = 0

    def start(self, sid: int, ensemble: Plain, held: Iterable[str]) -> ModelServer:
        return ModelServer(self, sid, Ensemble(**ensemble), set(held))


class ModelServer:
    def __init__(self, system: ModelSystem, sid: int, ensemble: Ensemble, held: set[str]) -> None:
        self.system, self.ensemble, self.held = system, ensemble, held
        self.server: AnyServer = new_server(sid)
        self.open: set[int] = set()

    def step(self, event: Plain, stop_after: int | None = None, order: int = 0) -> list[Plain]:
        del order
        self.system.events += 1
        told = read_event(event)
        if isinstance(told, events.Received | events.LinkLost):
            self.open.add(told.connection.peer)
        if isinstance(told, events.LinkLost):
            self.open.discard(told.connection.peer)
        whole = uncut(self.system.spec, self.ensemble, self.server, told)
        done = list(self._tell(self.server.disk, whole.effects))
        lasting = [at for at, one in enumerate(done, 1) if one["type"] in ("Send", "Write")]
        if stop_after is None:
            self.server = whole.after
            return done + self._by_itself()
        if len(lasting) > stop_after:
            return self._killed(whole, stop_after, event["survives"])
        crash = uncut(self.system.spec, self.ensemble, whole.after, events.Crash(0))
        self.server = crash.after
        return done + list(self._tell(whole.after.disk, crash.effects))

    def observe(self) -> Plain:
        shown = plain_server(self.server)
        keys = set().union(*(KEYS[one] for one in self.system.shows))
        return {key: value for key, value in shown.items() if key in keys}

    def copy(self) -> ModelServer:
        twin = ModelServer(self.system, self.server.sid, self.ensemble, self.held)
        twin.server, twin.open = self.server, set(self.open)
        return twin

    def close(self) -> None:
        pass

    def _killed(self, whole: Outcome, stop_after: int, survives: int) -> list[Plain]:
        for cut in cuts(self.system.spec, self.ensemble, whole):
            told = list(self._tell(self.server.disk, cut.effects[: cut.crash_after]))
            lasting = sum(1 for one in told if one["type"] in ("Send", "Write"))
            if lasting == stop_after and cut.survives == survives:
                rest = list(self._tell(self.server.disk, cut.effects))[len(told) :]
                self.server = cut.after
                return told + rest
        raise ValueError(f"no cut after {stop_after} leaves {survives}")

    def _by_itself(self) -> list[Plain]:
        """What is not taken happens at once, as much as can."""
        done: list[Plain] = []
        inner = {"fsync": events.LogSynced, "apply": events.TxnApplied}
        mine = tuple(kind for name, kind in inner.items() if name not in self.held)
        while due := [one for one in threads(self.server) if isinstance(one, mine)]:
            step = uncut(self.system.spec, self.ensemble, self.server, due[-1])
            done += self._tell(self.server.disk, step.effects)
            self.server = step.after
        return done

    def _tell(self, before: Disk, effects: Sequence[Effect]) -> Iterator[Plain]:
        for effect in effects:
            if isinstance(effect, Write):
                after = disk.apply(effect.change, before)
                if plain_disk(after) != plain_disk(before):
                    yield {"type": "Write", **plain_disk(after)}
                before = after
            elif isinstance(effect, Send):
                peer, packet = effect.connection.peer, plain_packet(effect.packet)
                yield {"type": "Send", "peer": peer, "packet": packet, **plain_disk(before)}
            elif isinstance(effect, Open):
                self.open.add(effect.connection.peer)
                yield {"type": "Open", "peer": effect.connection.peer}
            elif isinstance(effect, Close | CloseAll):
                peers = self.open if isinstance(effect, CloseAll) else {effect.connection.peer}
                yield from ({"type": "Close", "peer": peer} for peer in sorted(peers & self.open))
                self.open -= peers


def read_event(told: Plain) -> events.Event:
    """The event of the protocol that a server is told."""
    fields = {key: value for key, value in told.items() if key not in ("type", "survives")}
    kind = getattr(events, told["type"])
    if "peer" in fields:
        fields["connection"] = Connection(fields.pop("peer"))
    if "packet" in fields:
        fields["packet"] = read_packet(fields["packet"])
    if kind is events.Crash:
        fields["survives"] = told["survives"]
    event: events.Event = kind(**fields)
    return event


def read_packet(told: Mapping[str, Any]) -> Packet:
    """The packet of the protocol that a server reads."""
    kind = {one.__name__: one for one in PACKETS}[told["type"]]
    fields = {key: _read(key, value) for key, value in told.items() if key != "type"}
    return kind(**fields)


def _read(key: str, value: Sequence[Any]) -> object:
    if key in ("zxid", "last_zxid"):
        return Zxid(*value)
    if key == "txn":
        return _txn(value)
    if key == "holds":
        return tuple(_txn(one) for one in value)
    return value


def _txn(value: Sequence[int]) -> Txn:
    epoch, counter, request = value
    return Txn(Zxid(epoch, counter), request)


__all__ = ["KEYS", "ModelServer", "ModelSystem", "read_event", "read_packet"]
