"""How each event happens to a process that runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from impl import simulated_events as events
from impl.requests import Reply
from impl.simulated_loop import SimulationError
from impl.simulated_machine import MILLISECOND, Running
from impl.simulated_observations import ClientAnswered


def _task_run(running: Running, event: events.TaskRun) -> None:
    running.machine.loop.run(event.task)


def _delivered(running: Running, event: events.Delivered) -> None:
    running.machine.network.deliver(event.connection, event.written)


def _accepted(running: Running, event: events.ConnectionAccepted) -> None:
    running.machine.network.accept(event.connection, event.peer)


def _answered(running: Running, event: events.ConnectAnswered) -> None:
    running.machine.network.answer(event.attempt, event.connection)


def _refused(running: Running, event: events.ConnectRefused) -> None:
    running.machine.network.answer(event.attempt, None)


def _ended(running: Running, event: events.ConnectionEnded) -> None:
    running.machine.network.end(event.connection)


def _broken(running: Running, event: events.ConnectionBroken) -> None:
    running.machine.network.break_off(event.connection)


def _timer_fired(running: Running, event: events.TimerFired) -> None:
    running.machine.loop.fire(event.timer)


def _time_passed(running: Running, event: events.TimePassed) -> None:
    loop = running.machine.loop
    loop.now = max(loop.now, event.now)


def _sync_completed(running: Running, event: events.SyncCompleted) -> None:
    running.machine.disk.complete(event.sync)


def _sync_failed(running: Running, event: events.SyncFailed) -> None:
    running.machine.disk.fail_sync(event.sync, event.error)


def _disk_fails(running: Running, event: events.DiskFails) -> None:
    running.machine.disk.fail_write(event.skipped, event.error, event.torn)


def _elected(running: Running, event: events.Elected) -> None:
    election = running.machine.election
    if election is None or election.done():
        raise SimulationError("the server waits for no election")
    running.machine.loop.now += MILLISECOND
    election.set_result(event)


def _role_left(running: Running, _event: events.RoleLeft) -> None:
    with running.machine.loop.entered():
        running.process.leave_role()


def _client_asked(running: Running, event: events.ClientAsked) -> None:
    with running.machine.loop.entered():
        running.process.ask(event, _reply(running, event.number))


def _session_reopened(running: Running, event: events.SessionReopened) -> None:
    with running.machine.loop.entered():
        running.process.reopen(event, _reply(running, event.number))


def _session_touched(running: Running, event: events.SessionTouched) -> None:
    with running.machine.loop.entered():
        running.process.touch(event.session, event.timeout)


def _reply(running: Running, number: int) -> Callable[[Reply], None]:
    def reply(told: Reply) -> None:
        running.machine.loop.check_alive()
        running.machine.observe(
            ClientAnswered(number, told.zxid, told.error, told.answer, told.session)
        )

    return reply


HAPPENINGS: Mapping[type[Any], Callable[[Running, Any], None]] = {
    events.Delivered: _delivered,
    events.ConnectionAccepted: _accepted,
    events.ConnectAnswered: _answered,
    events.ConnectRefused: _refused,
    events.ConnectionEnded: _ended,
    events.ConnectionBroken: _broken,
    events.TimerFired: _timer_fired,
    events.TimePassed: _time_passed,
    events.SyncCompleted: _sync_completed,
    events.SyncFailed: _sync_failed,
    events.DiskFails: _disk_fails,
    events.TaskRun: _task_run,
    events.Elected: _elected,
    events.RoleLeft: _role_left,
    events.ClientAsked: _client_asked,
    events.SessionReopened: _session_reopened,
    events.SessionTouched: _session_touched,
}
"""What each event does to a process that runs."""
