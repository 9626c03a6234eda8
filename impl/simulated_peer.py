"""A `QuorumPeer` as the process of a simulated server."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from impl.config import Config
from impl.errors import ErrorCode
from impl.quorum_peer import QuorumPeer, Vote
from impl.requests import Reply, Request
from impl.simulated_events import ClientAsked, SessionReopened
from impl.simulated_machine import Machine
from impl.simulated_shown import shown_files


class PeerProcess:
    """One process: a server of these settings on this machine."""

    def __init__(self, config: Config, machine: Machine) -> None:
        self.peer = QuorumPeer(config, machine.clock, machine.network, machine.disk, self._elect)
        self._machine = machine
        self._had_a_role = False

    async def run(self) -> None:
        """Everything, until it is killed."""
        await self.peer.run()

    def leave_role(self) -> None:
        """End the role, if there is one."""
        self.peer.leave_role("told to")

    def ask(self, asked: ClientAsked, reply: Callable[[Reply], None]) -> None:
        """Submit the request of a client."""
        server = self.peer.zookeeper_server
        if server is None:
            reply(Reply(0, ErrorCode.CONNECTION_LOSS))
        else:
            server.submit_request(
                Request(asked.session, asked.cxid, asked.kind, asked.body, reply=reply)
            )

    def reopen(self, reopened: SessionReopened, reply: Callable[[Reply], None]) -> None:
        """Ask whether the session is valid, in a task of its own."""
        task = self._reopen(reopened, reply)
        self._machine.loop.create_task(task, name=f"reopen-{reopened.number}")

    def touch(self, session: int, timeout: int) -> None:
        """Count the session as heard of, where clients are served."""
        if self.peer.zookeeper_server is not None:
            self.peer.zookeeper_server.touch(session, timeout)

    def observe(self) -> Mapping[str, object]:
        """What a person could see in a debugger."""
        peer, database = self.peer, self.peer.database
        return {
            "role": peer.server_state.name,
            "leader": peer.vote.leader,
            "phase": peer.zab_state.name,
            "accepted_epoch": peer.accepted_epoch,
            "current_epoch": peer.current_epoch,
            "last_processed_zxid": database.last_processed_zxid,
            "window": [one.zxid for one in database.committed_log],
            "sessions": dict(sorted(database.sessions_with_timeouts.items())),
            "content": database.content_digest(),
            "last_end": peer.last_end,
            **shown_files(self._machine.disk.files),
        }

    async def _elect(self, vote: Vote) -> Vote:
        if self._had_a_role:
            self._machine.role_ended(self.peer.last_end)
        elected = await self._machine.elect(vote.leader, vote.zxid, vote.peer_epoch)
        self._had_a_role = True
        zxid = vote.zxid if elected.zxid is None else elected.zxid
        epoch = vote.peer_epoch if elected.epoch is None else elected.epoch
        return Vote(elected.leader, zxid, epoch)

    async def _reopen(self, reopened: SessionReopened, reply: Callable[[Reply], None]) -> None:
        server = self.peer.zookeeper_server
        if server is None or server.is_behind(reopened.last_zxid_seen):
            reply(Reply(0, ErrorCode.CONNECTION_LOSS))
            return
        is_valid = await server.reopen_session(reopened.session, reopened.timeout)
        reply(Reply(0, 0 if is_valid else ErrorCode.SESSION_EXPIRED))
