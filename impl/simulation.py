"""The simulation's face: one server, or an ensemble of them, on which nothing happens by itself."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from impl.config import Config
from impl.quorum import QuorumVerifier, quorum_verifier
from impl.simulated_files import SimulatedFiles
from impl.simulated_peer import PeerProcess
from impl.simulated_server import SimulatedServer

__all__ = ["SimulatedFiles", "SimulatedServer", "configuration", "start"]


def start(
    sid: int, config: Config, disk: SimulatedFiles | None = None, now: float = 0.0
) -> SimulatedServer:
    """A server that has just been started: its first task can run.

    disk: what it finds; None: nothing. now: its clock, in seconds. Settings are of one server, so
    `config.sid` has to be this one.
    """
    if config.sid != sid:
        raise ValueError(f"read settings of server {config.sid}, expected those of {sid}")
    return SimulatedServer(sid, partial(PeerProcess, config), disk, now)


def configuration(voters: Iterable[int], observers: Iterable[int] = ()) -> QuorumVerifier:
    """These servers, on addresses that nobody needs."""
    kinds = dict.fromkeys(voters, "participant") | dict.fromkeys(observers, "observer")
    lines = [f"server.{sid}=127.0.0.{sid}:2888:3888:{kind}" for sid, kind in sorted(kinds.items())]
    return quorum_verifier("\n".join([*lines, "version=0"]))
