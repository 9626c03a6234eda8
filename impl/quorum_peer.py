"""A server's main loop: LOOKING, FOLLOWING, LEADING, OBSERVING, and what ends a role."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from enum import Enum
from functools import partial

from attrs import evolve, frozen

from impl.config import Config
from impl.configuration import ConfigError
from impl.database import Database
from impl.endings import RoleEnded
from impl.follower import Follower
from impl.jute import JuteError, decode_text
from impl.leader import Leader
from impl.observer import Observer
from impl.quorum import QuorumVerifier, quorum_verifier
from impl.requests import Request
from impl.runtime import Clock, Disk, Network
from impl.storage import Storage
from impl.threads import Thread, Threads
from impl.transactions import OpCode, SetDataTxn
from impl.zookeeper_server import ZooKeeperServer

LOG = logging.getLogger(__name__)


class ServerState(Enum):
    """What a server does."""

    LOOKING = 0
    FOLLOWING = 1
    LEADING = 2
    OBSERVING = 3


class ZabState(Enum):
    """Where a server is in the protocol."""

    ELECTION = 0
    DISCOVERY = 1
    SYNCHRONIZATION = 2
    BROADCAST = 3


@frozen
class Vote:
    """A server's vote. leader: whom it names; zxid: its last one; peer_epoch: its current epoch."""

    leader: int
    zxid: int
    peer_epoch: int


Elect = Callable[[Vote], Awaitable[Vote]]
"""Answers a server's own vote with the one that is decided. Fast Leader Election, or a chooser."""


class QuorumPeer:
    """One server, from its start until it is cancelled.

    server_state, zab_state: what it does. vote: the last one, its own or the one decided. leader,
    follower, observer: its role, the others None. zookeeper_server: takes requests of clients; None
    while it does not serve. verifier, last_seen_verifier: the configuration that is active, and the
    latest it heard of. needs_snapshot: what it has could not be cut as its leader said, so its next
    answer asks for a snapshot. last_end: why the last role ended.
    """

    def __init__(
        self, config: Config, clock: Clock, network: Network, disk: Disk, elect: Elect
    ) -> None:
        """Nothing is read or run before `run`."""
        self.config = config
        self.clock = clock
        self.network = network
        self.storage = Storage(disk, pre_alloc_size=config.pre_alloc_size)
        self.database = Database(config.commit_log_count)
        self.verifier: QuorumVerifier = config.verifier
        self.last_seen_verifier: QuorumVerifier = config.verifier
        self.server_state = ServerState.LOOKING
        self.zab_state = ZabState.ELECTION
        self.vote = Vote(config.sid, 0, 0)
        self.leader: Leader | None = None
        self.follower: Follower | None = None
        self.observer: Observer | None = None
        self.zookeeper_server: ZooKeeperServer | None = None
        self.needs_snapshot = False
        self.last_end = ""
        self._elect = elect
        self._threads: Threads | None = None

    @property
    def accepted_epoch(self) -> int:
        """It follows no leader of an earlier one."""
        return self.storage.epochs.accepted_epoch

    @property
    def current_epoch(self) -> int:
        """It has accepted the history of this one's leader."""
        return self.storage.epochs.current_epoch

    async def run(self) -> None:
        """Load the disk, then play one role after another.

        Raises what ends the process: `OSError` where the disk fails, `StorageError` where it holds
        what no server wrote. Models QuorumPeer.start, QuorumPeer.run.
        """
        await self.load_database()
        while True:
            self.vote = await self._elect(self._own_vote())
            await self._play(self.vote.leader)

    async def load_database(self) -> None:
        """Load memory from disk, and the epochs, mended where a crash fell between two writes.

        Models QuorumPeer.loadDataBase.
        """
        last_zxid = await self.storage.restore(self.database)
        await self.storage.load_epochs(last_zxid)
        self.init_config_in_database()

    def leave_role(self, why: str = "told to leave its role") -> None:
        """End the role that is played, if one is."""
        if self._threads is not None:
            self._threads.fail(RoleEnded(why))

    # What the roles ask of the server that plays them.

    async def set_accepted_epoch(self, epoch: int) -> None:
        """Promise, durably, to follow no leader of an earlier epoch."""
        await self.storage.set_accepted_epoch(epoch)

    async def set_current_epoch(self, epoch: int) -> None:
        """Say, durably, that the history of this epoch's leader is accepted."""
        await self.storage.set_current_epoch(epoch)

    def enter_discovery(self) -> None:
        """The role has begun."""
        self.zab_state = ZabState.DISCOVERY

    def enter_synchronization(self) -> None:
        """The epoch is settled."""
        self.zab_state = ZabState.SYNCHRONIZATION

    def enter_broadcast(self, server: ZooKeeperServer | None) -> None:
        """Clients are served, by this one; None: a leader that takes none."""
        self.zab_state = ZabState.BROADCAST
        self.zookeeper_server = server

    def update_election_vote(self, epoch: int) -> None:
        """What others are told in an election names the new epoch (ZOOKEEPER-1732)."""
        self.vote = evolve(self.vote, peer_epoch=epoch)

    # Where a reconfiguration would come in.

    def involved_verifiers(self) -> tuple[QuorumVerifier, ...]:
        """The active configuration, and the one that is proposed, if it is later."""
        if self.last_seen_verifier.version > self.verifier.version:
            return self.verifier, self.last_seen_verifier
        return (self.verifier,)

    def prepare_configuration(self, zxid: int) -> None:
        """Give a first configuration the epoch's zxid as its version (ZOOKEEPER-1783).

        Only where reconfiguration is enabled; else it stays 0 (3.5.9, 3.6.2, 3.7.0 on).
        """
        unversioned = not self.verifier.version and not self.last_seen_verifier.version
        if self.config.reconfig_enabled and unversioned:
            self.set_last_seen_verifier(self.verifier.with_version(zxid))

    def read_verifier(self, text: str) -> QuorumVerifier | None:
        """A configuration from a packet; None where reconfiguration is not enabled.

        Raises RoleEnded for what is none. Differs: ZooKeeper goes on with the one that it has.
        """
        if not self.config.reconfig_enabled:
            return None
        try:
            return quorum_verifier(text)
        except ConfigError as error:
            raise RoleEnded(f"a configuration that cannot be read: {error}") from error

    def set_last_seen_verifier(self, verifier: QuorumVerifier) -> None:
        """A configuration was heard of. Models QuorumPeer.setLastSeenQuorumVerifier."""
        if verifier.version >= self.last_seen_verifier.version:
            self.last_seen_verifier = verifier

    def see_proposal(self, request: Request) -> None:
        """A proposal of a configuration is a configuration that was heard of."""
        verifier = self._proposed_verifier(request)
        if verifier is not None:
            self.set_last_seen_verifier(verifier)

    def activate(self, pending: Sequence[Request], designated_leader: int) -> None:
        """The oldest pending transaction is a configuration, and is committed."""
        verifier = self._proposed_verifier(pending[0]) if pending else None
        if verifier is not None:
            self.process_reconfig(verifier, designated_leader)
        elif self.config.reconfig_enabled:
            raise RoleEnded("a configuration is to be activated, and none is pending")

    def process_reconfig(
        self, verifier: QuorumVerifier, designated_leader: int | None = None
    ) -> None:
        """Make a configuration the active one. Raises RoleEnded where that ends this role.

        designated_leader: who leads in it; None: as before. Models QuorumPeer.processReconfig.
        """
        voted = self.config.sid in self.verifier.voting_members
        self.verifier = self.last_seen_verifier = verifier
        self.init_config_in_database()
        votes = self.config.sid in verifier.voting_members
        if votes != voted or designated_leader not in (None, self.vote.leader):
            raise RoleEnded("changes proposed in reconfig")

    def init_config_in_database(self) -> None:
        """Show the active configuration as /zookeeper/config."""
        time = round(self.clock.now() * 1000)
        self.database.init_config(str(self.verifier), self.verifier.version, time)

    # How.

    def _own_vote(self) -> Vote:
        """Models QuorumPeer.startLeaderElection."""
        return Vote(self.config.sid, self.database.last_processed_zxid, self.current_epoch)

    async def _play(self, leader: int) -> None:
        """One role, to its end, and what has to be done then."""
        self._threads = threads = Threads(self._end_role)
        name, role = self._begin(leader, threads)
        try:
            await threads.run(name, role)
        except (RoleEnded, JuteError) as why:
            self.last_end = str(why)
        except (ConnectionError, EOFError) as why:
            self.last_end = f"the connection to the leader is lost: {why}"
        except TimeoutError:
            self.last_end = "nothing was heard of the leader for too long"
        except asyncio.CancelledError:
            self._end_role()
            await threads.stop()
            raise
        LOG.info("server %d leaves its role: %s", self.config.sid, self.last_end)
        await self._leave(threads)

    def _begin(self, leader: int, threads: Threads) -> tuple[str, Thread]:
        if leader == self.config.sid:
            self.server_state = ServerState.LEADING
            self.leader = Leader(self, threads)
            return "lead", self.leader.lead
        if self.config.sid in self.verifier.observing_members:
            self.server_state = ServerState.OBSERVING
            self.observer = Observer(self, threads)
            return "observe", partial(self.observer.observe_leader, leader)
        self.server_state = ServerState.FOLLOWING
        self.follower = Follower(self, threads)
        return "follow", partial(self.follower.follow_leader, leader)

    @property
    def _role(self) -> Leader | Follower | Observer:
        role = self.leader or self.follower or self.observer
        assert role is not None  # noqa: S101 - asked only while one is played
        return role

    def _end_role(self) -> asyncio.Task[None] | None:
        """Serve nobody, and close every connection, at once; the log thread, which goes on."""
        self.server_state, self.zab_state = ServerState.LOOKING, ZabState.ELECTION
        self.zookeeper_server = None
        self._threads = None
        role = self._role
        role.close()
        return role.server.log_thread

    async def _leave(self, threads: Threads) -> None:
        """Drain and stop the log thread, then load memory from disk.

        What was only in memory is forgotten, whatever it was (2845, 3642, 4712).
        Models ZooKeeperServer.shutdown, QuorumPeer.run (the `finally` of a role).
        """
        server = self._role.server
        await threads.stop(keep=server.log_thread)
        await server.shutdown()
        await threads.stop()
        self.leader = self.follower = self.observer = None
        await self.load_database()

    def _proposed_verifier(self, request: Request) -> QuorumVerifier | None:
        transaction = request.transaction
        if transaction is None or transaction.header.type != OpCode.RECONFIG:
            return None
        body = transaction.body
        assert isinstance(body, SetDataTxn)  # noqa: S101 - what a reconfig's body is decoded as
        return self.read_verifier(decode_text(body.data or b""))
