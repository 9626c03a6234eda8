"""Values as text, and text as values: what scripts, reports and views are written in.

    7  none -  zxid 1.2  transaction 1.2:r3  history [1.1:r1 1.2:r2]  packet Ack zxid=1.2

A packet or a change of the disk is its class's name and its fields. Every text has one reading, and
reading what was written gives back the value.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

import attrs

from zabspec.protocol.messages import PACKETS, Packet
from zabspec.protocol.state import Connection, Snapshot, Txn, Zxid

_FIELD = re.compile(r"(\w+)=(\[[^\]]*\]|\S+)")
_TXN = re.compile(r"(\d{1,18})\.(\d{1,18}):r(\d{1,18})")
_ZXID = re.compile(r"(\d{1,18})\.(\d{1,18})")
_NUMBER = re.compile(r"\d{1,18}")
_PACKETS: Mapping[str, type[Packet]] = {one.__name__: one for one in PACKETS}


class NotationError(ValueError):
    """A text that is no value: what was read, and what was expected."""

    def __init__(self, read: str, expected: str) -> None:
        super().__init__(f'read "{read}", expected {expected}')
        self.read = read
        self.expected = expected


def show(value: object) -> str:
    """A value as text."""
    if value is None:
        return "-"
    if isinstance(value, int | str | Zxid | Txn | Connection):
        return str(value)
    if isinstance(value, tuple):
        return f"[{' '.join(show(one) for one in value)}]"
    if isinstance(value, Snapshot):
        return f"{value.zxid}{show(value.holds)}"
    return " ".join(_shown_fields(value))


def _shown_fields(value: Any) -> Iterable[str]:  # noqa: ANN401  any attrs class
    yield type(value).__name__
    for one in attrs.fields(type(value)):
        yield f"{one.name}={show(getattr(value, one.name))}"


def read_packet(text: str) -> Packet:
    """The packet that `show` wrote. Raises NotationError."""
    name, _, rest = text.strip().partition(" ")
    kind = _PACKETS.get(name)
    if kind is None:
        near = get_close_matches(name, _PACKETS, n=1) or sorted(_PACKETS)
        raise NotationError(name, f"a packet such as {', '.join(near)}")
    names = [one.name for one in attrs.fields(kind)]
    values = dict(_FIELD.findall(rest))
    if list(values) != names or _FIELD.sub("", rest).strip():
        wanted = " ".join(f"{one}=..." for one in names)
        raise NotationError(text.strip(), f"{name} {wanted}".strip())
    packet = kind(**{one: read_value(text) for one, text in values.items()})
    _refuse_wrong_types(packet, text.strip())
    return packet


def read_value(text: str) -> Any:  # noqa: ANN401  as the text says
    """The number, zxid, transaction, history or None that `show` wrote. Raises NotationError."""
    if text == "-":
        return None
    if text.startswith("[") and text.endswith("]"):
        return tuple(read_value(one) for one in text[1:-1].split())
    if found := _TXN.fullmatch(text):
        epoch, counter, request = map(int, found.groups())
        return Txn(Zxid(epoch, counter), request)
    if found := _ZXID.fullmatch(text):
        return Zxid(*map(int, found.groups()))
    if _NUMBER.fullmatch(text):
        return int(text)
    raise NotationError(text, "a number, a zxid 1.2, a transaction 1.2:r3, a history [...] or -")


def _refuse_wrong_types(packet: Packet, text: str) -> None:
    for one in attrs.fields(type(packet)):
        value, wanted = getattr(packet, one.name), str(one.type)
        kind = "History" if isinstance(value, tuple) else type(value).__name__
        kind = "None" if value is None else kind
        if kind not in wanted.split(" | "):
            raise NotationError(text, f"{one.name} to be {wanted}")
