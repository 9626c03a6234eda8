"""One line of a recording as JSON, taken apart key by key; and what is said when it cannot be."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import NoReturn

from attrs import frozen

from zabspec.conform.recording_packets import ELECTION_TYPES, QUORUM_TYPES, RECORD_TYPES
from zabspec.conform.recording_payload import RECORDED_BYTES, Payload, decode_payload
from zabspec.protocol.state import Zxid

SHOWN_CHARACTERS = 60
"""Of what was read, at most, in an error text."""

_SIDS = range(-(1 << 63), 1 << 63)
_ZXID = re.compile(r"0x[0-9a-fA-F]{1,16}")
_HEX = re.compile(r"(?:[0-9a-fA-F]{2})*")


class RecordingError(ValueError):
    """A file is not a recording: where, what was read there, and what was expected, in one line.

    Line 0 is the file as a whole.
    """

    def __init__(self, path: Path, line: int, problem: str) -> None:
        shown_path = " ".join(str(path).splitlines())
        super().__init__(f"{shown_path}:{line}: {' '.join(problem.splitlines())}")


@frozen
class Entry:
    """The JSON object of one line, taken apart key by key."""

    path: Path
    line: int
    keys: Mapping[str, object]

    def refuse(self, read: str, expected: str) -> NoReturn:
        """Raises RecordingError for this line."""
        raise RecordingError(self.path, self.line, f"read {read}, expected {expected}")

    def required(self, key: str, kind: type | tuple[type, ...], expected: str) -> object:
        """The value of a key that must be there."""
        if key not in self.keys:
            self.refuse(f"no key {key!r}", expected)
        return self.optional(key, kind, expected)

    def optional(self, key: str, kind: type | tuple[type, ...], expected: str) -> object:
        """None if the key is absent."""
        found = self.keys.get(key)
        is_boolean = isinstance(found, bool) and kind is not bool
        if key in self.keys and (is_boolean or not isinstance(found, kind)):
            self.refuse(f"{key!r} that is {kind_of(found)}", expected)
        return found

    def type(self) -> str:
        """One of `RECORD_TYPES`."""
        found = str(self.required("type", str, "the name of a packet"))
        if found not in RECORD_TYPES:
            near = get_close_matches(found.upper(), RECORD_TYPES, n=1)
            hint = f" (near: {near[0]})" if near else ""
            self.refuse(f"type {found[:SHOWN_CHARACTERS]!a}", f"the name of a packet{hint}")
        return found

    def connection(self) -> str:
        """A name of q... or e..., as the type of the record has it."""
        record_type = self.keys["type"]
        election, quorum = record_type in ELECTION_TYPES, record_type in QUORUM_TYPES
        initials = "e" if election else "q" if quorum else "eq"
        expected = f"a connection named {' or '.join(f'{initial}...' for initial in initials)}"
        found = str(self.required("conn", str, expected))
        if not found.isprintable() or " " in found or found[:1] not in set(initials):
            self.refuse(f"{record_type} on {found[:SHOWN_CHARACTERS]!a}", expected)
        return found

    def sid(self, key: str) -> int:
        """The server id under this key."""
        found = self.required(key, int, "a server id")
        if not isinstance(found, int) or found not in _SIDS:
            self.refuse(f"{key!r} out of range", "a server id of 64 bits")
        return found

    def time(self) -> float:
        """In seconds."""
        found = self.required("t", (int, float), "seconds")
        try:
            return float(found) if isinstance(found, (int, float)) else 0.0
        except OverflowError:
            self.refuse("'t' out of range", "seconds")

    def zxid(self) -> Zxid:
        """Written as an unsigned 64-bit number; all ones is -1."""
        found = str(self.required("zxid", str, "a zxid in hex"))
        if not _ZXID.fullmatch(found):
            self.refuse(f"zxid {found[:SHOWN_CHARACTERS]!a}", "0x and up to 16 hex digits")
        number = int(found, 16)
        return Zxid.unpack(number - (1 << 64) if number >> 63 else number)

    def payload(self) -> str | None:
        """A note behind `RECORDED_BYTES` bytes is left out."""
        found = self.required("data", (str, type(None)), "hex digits or null")
        if not isinstance(found, str):
            return None
        digits = found[: 2 * RECORDED_BYTES]
        if not _HEX.fullmatch(digits):
            self.refuse(f"data {digits[:SHOWN_CHARACTERS]!a}", "an even number of hex digits")
        return digits

    def decoded(self, record_type: str, payload: str | None) -> Payload | None:
        """What the payload says, as far as a check reads it."""
        content = None if payload is None else bytes.fromhex(payload)
        try:
            return decode_payload(record_type, content)
        except ValueError as error:
            raise RecordingError(self.path, self.line, str(error)) from None

    def fields(self) -> Mapping[str, object]:
        """Empty if there are none."""
        found = self.optional("fields", dict, "an object")
        return found if isinstance(found, dict) else {}

    def skipped(self) -> int:
        """0 if nothing was left out."""
        found = self.optional("skipped", int, "how many packets were left out")
        if isinstance(found, int) and found < 0:
            self.refuse("'skipped' below 0", "how many packets were left out")
        return found if isinstance(found, int) else 0


def kind_of(value: object) -> str:
    """What a JSON value is, for an error text."""
    kinds: dict[type, Callable[[], str]] = {
        bool: lambda: "a boolean",
        int: lambda: "a number",
        float: lambda: "a number",
        str: lambda: "a string",
        list: lambda: "an array",
        dict: lambda: "an object",
    }
    return kinds.get(type(value), lambda: "null")()
