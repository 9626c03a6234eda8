"""The text of a configuration, as in `zoo.cfg.dynamic` and NEWLEADER, read and written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

from attrs import field, frozen

PARTICIPANT: Literal["participant"] = "participant"
_LARGEST_PORT = 0xFFFF
_LARGEST_VERSION = (1 << 63) - 1
_HOST = r"(\[[0-9A-Fa-f:.%]+\]|[^\s:;|\[\]]+)"
_SERVER = re.compile(
    rf"{_HOST}:(\d{{1,5}}):(\d{{1,5}})(?::(participant|observer))?(?:;(?:{_HOST}:)?(\d{{1,5}}))?",
    re.IGNORECASE | re.ASCII,
)
_LINE = re.compile(
    r"(server|group|weight)\.(0|-?[1-9][0-9]{0,18})\s*=\s*(.*)|version\s*=\s*(.*)", re.ASCII
)
_NUMBER = re.compile(r"[0-9]{1,18}", re.ASCII)
_HEX = re.compile(r"[0-9a-fA-F]{1,16}", re.ASCII)
_ANY_HOST = "0.0.0.0"  # noqa: S104  what ZooKeeper writes where only a client port was given


class ConfigError(Exception):
    """A configuration that no ensemble can have: which line, and what was expected.

    Correct the line in the file that the server was started with, or, if the text came in a
    packet, look at what its leader was started with. Models QuorumPeerConfig.ConfigException.
    """


@frozen
class QuorumServer:
    """One `server.<sid>=` line. Models QuorumPeer.QuorumServer.

    client: `host:port` of its clients, None where the line has none.
    """

    sid: int
    host: str
    quorum_port: int
    election_port: int
    role: Literal["participant", "observer"] = PARTICIPANT
    client: str | None = None

    def __str__(self) -> str:
        written = f"{self.host}:{self.quorum_port}:{self.election_port}:{self.role}"
        return written if self.client is None else f"{written};{self.client}"


@frozen
class Configuration:
    """What the text says, in its order.

    groups: group to sids. weights: sid to weight, only those that were given.
    """

    servers: Mapping[int, QuorumServer]
    groups: Mapping[int, tuple[int, ...]] = field(factory=dict)
    weights: Mapping[int, int] = field(factory=dict)
    version: int = 0

    @property
    def group_of(self) -> Mapping[int, int]:
        """Sid to group."""
        return {sid: group for group, sids in self.groups.items() for sid in sids}

    def members(self, role: str) -> Mapping[int, QuorumServer]:
        """The servers of one role."""
        return {sid: server for sid, server in self.servers.items() if server.role == role}

    def text(self) -> str:
        """Lines, with no newline at the end. Models QuorumVerifier.toString."""
        lines = [f"server.{sid}={server}" for sid, server in self.servers.items()]
        for group, sids in self.groups.items():
            lines.append(f"group.{group}={':'.join(map(str, sids))}")
        lines += [f"weight.{sid}={weight}" for sid, weight in self.weights.items()]
        return "\n".join([*lines, f"version={self.version:x}"])


def read_configuration(text: str) -> Configuration:
    """Read the lines. Raises ConfigError.

    Empty lines and comments are passed over. Differs from java.util.Properties: `=` alone parts
    name and value, nothing is escaped, and a name that comes twice is refused.
    """
    servers: dict[int, QuorumServer] = {}
    groups: dict[int, tuple[int, ...]] = {}
    weights: dict[int, int] = {}
    version: int | None = None
    for line in map(str.strip, text.splitlines()):
        if not line or line[0] in "#!":
            continue
        found = _LINE.fullmatch(line)
        if found is None:
            raise _wrong(line, "server.N=, group.N=, weight.N= or version=")
        kind, number = found[1], int(found[2] or 0)
        known = {"server": [*servers], "group": [*groups], "weight": [*weights]}.get(kind)
        if version is not None if known is None else number in known:
            raise _wrong(line, "each name once")
        if kind == "server":
            servers[number] = _server(line, number, found[3])
        elif kind == "group":
            groups[number] = _group(line, found[3], groups)
        elif kind == "weight":
            weights[number] = int(_matched(line, _NUMBER, found[3], "a number"))
        else:
            version = _version(line, found[4])
    return _checked(Configuration(servers, groups, weights, version or 0))


def _server(line: str, sid: int, value: str) -> QuorumServer:
    expected = "host:port:port, then :participant or :observer, then ;port or ;host:port"
    found = _SERVER.fullmatch(value)
    if found is None:
        raise _wrong(line, expected)
    host, quorum_port, election_port, role, client_host, client_port = found.groups()
    ports = [int(port) for port in (quorum_port, election_port, client_port) if port]
    if max(ports) > _LARGEST_PORT or ports[0] == ports[1]:
        raise _wrong(line, f"two different ports up to {_LARGEST_PORT}")
    client = None if client_port is None else f"{client_host or _ANY_HOST}:{ports[2]}"
    observes = (role or "").lower() == "observer"
    return QuorumServer(
        sid, host, ports[0], ports[1], "observer" if observes else PARTICIPANT, client
    )


def _group(line: str, value: str, groups: Mapping[int, tuple[int, ...]]) -> tuple[int, ...]:
    sids = tuple(int(_matched(line, _NUMBER, one, "sids and colons")) for one in value.split(":"))
    elsewhere = {sid for members in groups.values() for sid in members}
    if len({*sids}) < len(sids) or not elsewhere.isdisjoint(sids):
        raise _wrong(line, "each server in one group")
    return sids


def _version(line: str, value: str) -> int:
    version = int(_matched(line, _HEX, value, "a hexadecimal number"), 16)
    if version > _LARGEST_VERSION:
        raise _wrong(line, f"no more than {_LARGEST_VERSION:x}")
    return version


def _matched(line: str, pattern: re.Pattern[str], value: str, expected: str) -> str:
    if pattern.fullmatch(value) is None:
        raise _wrong(line, expected)
    return value


def _checked(configuration: Configuration) -> Configuration:
    """Models the last checks of QuorumPeerConfig.parseDynamicConfig."""
    if not configuration.members(PARTICIPANT):
        raise ConfigError("no server takes part, expected one server.N= line at least")
    for sid in configuration.group_of:
        if sid not in configuration.servers:
            raise ConfigError(f"server {sid} is in a group, expected a line server.{sid}=")
    return configuration


def _wrong(line: str, expected: str) -> ConfigError:
    return ConfigError(f"{line[:200]!a}: expected {expected}")
