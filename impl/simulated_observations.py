"""What a simulated server is seen to do, in the order in which it does it."""

from __future__ import annotations

from attrs import frozen

from impl.plain import PlainFormat


@frozen
class Sent:
    """It wrote to a connection: one call of `write`."""

    connection: str
    written: bytes


@frozen
class ConnectionClosed:
    """It closed its end of a connection."""

    connection: str


@frozen
class ConnectAsked:
    """It wants to connect to a server, and waits for an answer. attempt: numbers its attempts."""

    attempt: int
    peer: int


@frozen
class ConnectGivenUp:
    """It waits no longer for an answer to this attempt."""

    attempt: int


@frozen
class ListeningBegan:
    """Its port is open."""


@frozen
class ListeningEnded:
    """Its port is closed; what was accepted stays."""


@frozen
class ElectionAsked:
    """It looks for a leader, and waits for who is elected: its own vote."""

    leader: int
    zxid: int
    epoch: int


@frozen
class FileWritten:
    """It wrote to a file, not durably."""

    name: str
    offset: int
    written: bytes


@frozen
class FileCut:
    """It cut or extended a file to this size, not durably."""

    name: str
    size: int


@frozen
class FileRenamed:
    """It renamed a file, not durably."""

    old: str
    new: str


@frozen
class FileRemoved:
    """It removed a file, not durably."""

    name: str


@frozen
class SyncAsked:
    """It waits for an fsync, of a file or of a folder. sync: names it while it is pending."""

    sync: str
    name: str


@frozen
class ClientAnswered:
    """It answered a client. number: of the `ClientAsked`; the rest as in `impl.requests.Reply`."""

    number: int
    zxid: int
    error: int
    answer: bytes | None
    session: int


@frozen
class RoleEnded:
    """It left its role. why: as it logs it."""

    why: str


@frozen
class ProcessEnded:
    """It ended by itself, with this error; it is down."""

    why: str


Observation = (
    Sent
    | ConnectionClosed
    | ConnectAsked
    | ConnectGivenUp
    | ListeningBegan
    | ListeningEnded
    | ElectionAsked
    | FileWritten
    | FileCut
    | FileRenamed
    | FileRemoved
    | SyncAsked
    | ClientAnswered
    | RoleEnded
    | ProcessEnded
)

OBSERVATIONS: PlainFormat[Observation] = PlainFormat("observation", Observation.__args__)
"""Observations as JSON objects."""
