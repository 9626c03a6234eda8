"""Leading: the barriers, the start of service, and the half-tick loop."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NoReturn

from impl.barriers import Barriers, Stage, StateSummary
from impl.database import Database
from impl.endings import RoleEnded
from impl.leader_server import LeaderZooKeeperServer
from impl.learner_handler import LearnerHandler
from impl.proposals import Proposals
from impl.runtime import Connection, Listener
from impl.snapshot_stream import decode_snapshot, snapshot_on_the_wire
from impl.sync_follower import CommittedHistory, Logged, Plan, sync_follower
from impl.threads import Threads
from impl.zxids import make_zxid

if TYPE_CHECKING:
    from impl.quorum_peer import QuorumPeer


class Leader:
    """A server that leads, or tries to.

    learners: the handlers, in the order in which their learners connected. tick: since it serves.
    is_established: whether it serves.
    """

    def __init__(self, peer: QuorumPeer, threads: Threads) -> None:
        self.peer = peer
        self.learners: list[LearnerHandler] = []
        self.tick = 0
        self.is_established = False
        summary = StateSummary(peer.current_epoch, peer.database.last_processed_zxid)
        self.barriers = Barriers(self, summary)
        self.proposals = Proposals(self)
        self.server = LeaderZooKeeperServer(peer, threads, self.proposals)
        self.threads = threads
        self._listener: Listener | None = None
        self._is_closed = False
        self._follower_counter = -1

    async def lead(self) -> NoReturn:
        """Become established, then watch over the learners until too few are left.

        Ends by raising RoleEnded. Models Leader.lead. Differs: no snapshot is saved of what the
        leader loaded, which no quorum may have (ZOOKEEPER-1549), and `currentEpoch` is written
        before anyone is sent the history.
        """
        peer = self.peer
        peer.enter_discovery()
        self._listener = self._listen()
        epoch = await self.barriers.get_epoch_to_propose(None)
        self.proposals.begin(make_zxid(epoch, 0))
        peer.prepare_configuration(make_zxid(epoch, 0))
        await self.barriers.wait_for_epoch_ack(None, self.barriers.summary)
        await peer.set_current_epoch(epoch)
        peer.enter_synchronization()
        self.barriers.begin_epoch()
        await self._wait_for_new_leader_ack()
        self.start_zk_server()
        while True:
            await peer.clock.sleep(peer.config.tick / 2, "tick")
            self.ping_learners()
            await peer.clock.sleep(peer.config.tick / 2, "tick")
            self.tick += 1
            self._check_quorum_synced()
            self.ping_learners()

    async def accept(self, connection: Connection) -> None:
        """Give a learner that connected a handler. Models LearnerCnxAcceptor.

        One that was accepted just before the port was closed is closed, too.
        """
        if self._is_closed:
            connection.close()
            return
        handler = LearnerHandler(connection, self)
        self.learners.append(handler)
        handler.start()

    def start_zk_server(self) -> None:
        """Serve: the processors, then the epoch's first zxid as last processed, then the handlers.

        Models Leader.startZkServer.
        """
        peer, zxid = self.peer, self.proposals.last_proposed
        if peer.last_seen_verifier.version > peer.verifier.version:
            peer.process_reconfig(peer.last_seen_verifier)
        self.server.startup()
        peer.update_election_vote(self.barriers.epoch)
        peer.database.last_processed_zxid = zxid
        self.is_established = True
        peer.enter_broadcast(self.server if peer.config.leader_serves else None)
        self.barriers.start()

    def next_anonymous_sid(self) -> int:
        """For a learner that does not say who it is. Models Leader.followerCounter."""
        sid = self._follower_counter
        self._follower_counter -= 1
        return sid

    def at(self, *stages: Stage) -> list[LearnerHandler]:
        """The handlers whose learners are at one of these stages."""
        return [one for one in self.learners if one.stage in stages]

    def remove_learner_handler(self, handler: LearnerHandler) -> None:
        """Forget a learner that is lost; give up where those left are no quorum.

        One that had not introduced itself was never counted. Models Leader.removeLearnerHandler.
        """
        if handler not in self.learners:
            return
        self.learners.remove(handler)
        self.proposals.stop_forwarding(handler)
        counted = handler.stage is not Stage.CONNECTED
        if counted and not self.barriers.is_quorum(self._introduced()):
            self.give_up("not sufficient followers are left")

    def give_up(self, why: str) -> None:
        """Leave the role, whatever task runs."""
        self.threads.fail(RoleEnded(why))

    def ping_learners(self) -> None:
        """A PING to everyone whose sync has begun, to keep its connection alive."""
        for handler in tuple(self.learners):
            handler.ping()

    def sync_follower(self, last_zxid: int) -> Plan:
        """What brings a learner up to date that answered with this zxid.

        Differs: what is committed and on its way to the database counts as in it; ZooKeeper looks
        at the database only, and can tell a learner to cut off what is committed.
        """
        database, config = self.peer.database, self.peer.config
        last_processed = database.last_processed_zxid
        window: list[Logged] = [(one.zxid, one.payload) for one in database.committed_log]
        for proposal in self.proposals.to_be_applied:
            last_processed = max(last_processed, proposal.zxid)
            window.append((proposal.zxid, proposal.request.payload))
        window = window[-config.commit_log_count :]
        read_log = self._read_log if config.snapshot_size_factor >= 0 else None
        history = CommittedHistory(last_processed, window, read_log)
        return sync_follower(last_zxid, history, force_snapshot=config.force_snap_sync)

    def serialize_snapshot(self) -> bytes:
        """What follows a SNAP packet: all that is committed, and nothing else."""
        database = self.peer.database
        body = database.serialize_snapshot()
        if self.proposals.to_be_applied:
            copied = Database()
            copied.deserialize_snapshot(decode_snapshot(body)[0])
            for proposal in self.proposals.to_be_applied:
                copied.process_txn(proposal.transaction)
            body = copied.serialize_snapshot()
        return snapshot_on_the_wire(body)

    def close(self) -> None:
        """Close the port and every connection. Models Leader.shutdown."""
        self._is_closed = True
        if self._listener is not None:
            self._listener.close()
        for handler in tuple(self.learners):
            handler.close()

    def _read_log(self, zxid: int) -> Iterator[Logged]:
        """The log, unless more of it would be read than a snapshot is worth.

        Models ZKDatabase.getProposalsFromTxnLog, ZKDatabase.calculateTxnLogSizeLimit.
        """
        storage, factor = self.peer.storage, self.peer.config.snapshot_size_factor
        limit = factor * storage.get_last_snapshot_size()
        if limit and storage.get_storage_size(zxid) > limit:
            return
        for record in storage.read_txn_log(zxid, fast_forward=False):
            yield record.zxid, record.payload

    def _listen(self) -> Listener:
        try:
            return self.peer.network.listen(self.accept)
        except OSError as why:
            raise RoleEnded(f"the quorum port cannot be opened: {why}") from why

    async def _wait_for_new_leader_ack(self) -> None:
        try:
            await self.barriers.wait_for_new_leader_ack(None)
        except RoleEnded:
            sids = ", ".join(str(one.sid) for one in self.at(Stage.ACTIVE))
            why = f"waiting for a quorum of followers, only synced with sids: [ {sids} ]"
            # With fewer of them, `remove_learner_handler` has given up before.
            hint = "Enough followers present. Perhaps the initTicks need to be increased."
            raise RoleEnded(f"{why}. {hint}") from None

    def _check_quorum_synced(self) -> None:
        synced = [one for one in self._introduced() if one.synced()]
        if not self.barriers.acknowledged(synced).has_all_quorums():
            sids = ", ".join(str(one.sid) for one in synced)
            raise RoleEnded(f"not sufficient followers synced, only synced with sids: [ {sids} ]")

    def _introduced(self) -> list[LearnerHandler]:
        return [one for one in self.learners if one.stage is not Stage.CONNECTED]
