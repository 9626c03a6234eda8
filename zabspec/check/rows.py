"""The rows of a spec that an exploration reached, each answered by its rule once.

A row is a server, and an event that it meets. Which branch of the rule answered is seen by watching
where the rule returns: rules refuse with a return of their own for each reason.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any

from attrs import frozen

from zabspec.check.outcomes import AnyServer
from zabspec.protocol.effects import Step
from zabspec.protocol.events import Crash, Event
from zabspec.protocol.rules import Rule, Spec, Threads
from zabspec.protocol.state import Ensemble

TraceFunction = Callable[[FrameType, str, Any], Any]


@frozen
class Branch:
    """A place where a rule returns. line: counted from the first of the rule, which is 1."""

    rule: Rule
    line: int


class Rows:
    """A spec that answers each row once, and counts what it was asked.

    calls: of rules. inner: the events that stand inside other steps. branches: how many rows each
        branch answered.
    """

    def __init__(self, spec: Spec) -> None:
        self.name = spec.name
        self.calls = 0
        self.branches: Counter[Branch] = Counter()
        self._spec = spec
        self.inner = (Crash, *spec.fused)
        self._answers: dict[tuple[AnyServer, Event], Step | Exception] = {}
        self._returned = 0
        self._watched: CodeType | None = None

    @property
    def fused(self) -> tuple[type[Event], ...]:
        """See `Spec`."""
        return self._spec.fused

    @property
    def threads(self) -> Threads:
        """See `Spec`."""
        return self._spec.threads

    @property
    def inner_rows(self) -> int:
        """How many rows with an event that stands inside other steps were answered."""
        return len(self._answers)

    def rule(self, server: AnyServer, event: Event) -> Rule:
        """The rule that answers."""
        return self._spec.rule(server, event)

    def step(self, server: AnyServer, event: Event, ensemble: Ensemble) -> Step:
        """What the rule says.

        Only what stands inside other steps (a crash that cuts one, what a coarse grain fuses) can
        be asked twice: those answers are kept.
        """
        if not isinstance(event, self.inner):
            return self._ask(server, event, ensemble)
        known = self._answers.get((server, event))
        if known is None:
            try:
                known = self._ask(server, event, ensemble)
            except Exception as error:  # noqa: BLE001  what a rule raises is its answer
                known = error
            self._answers[server, event] = known
        if isinstance(known, Exception):
            raise known.with_traceback(None)
        return known

    def _ask(self, server: AnyServer, event: Event, ensemble: Ensemble) -> Step:
        self.calls += 1
        rule = self._spec.rule(server, event)
        self._watched = rule.function.__code__
        before = sys.gettrace()
        sys.settrace(self._enter)
        try:
            return rule.function(server, event, ensemble)
        finally:
            sys.settrace(before)
            line = self._returned - self._watched.co_firstlineno + 1
            self._watched = None
            self.branches[Branch(rule, line)] += 1

    def _enter(self, frame: FrameType, _event: str, _argument: object) -> TraceFunction | None:
        if frame.f_code is not self._watched:
            return None
        frame.f_trace_lines = False
        return self._leave

    def _leave(self, frame: FrameType, event: str, _argument: object) -> TraceFunction | None:
        if event == "return":
            self._returned = frame.f_lineno
        return self._leave
