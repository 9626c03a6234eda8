"""Jute, ZooKeeper's wire format: big-endian numbers, a length before bytes, -1 for null.

Every length is checked against a bound before anything of that length is read or made.
"""

from __future__ import annotations

import struct
from asyncio import IncompleteReadError, StreamReader
from collections.abc import Callable, Generator
from typing import Final, TypeVar

MAX_BUFFER: Final = 0xFFFFF
"""jute.maxbuffer, in bytes: what ZooKeeper takes where nobody configured it."""

EXTRA_BUFFER: Final = MAX_BUFFER
"""zookeeper.jute.maxbuffer.extrasize: room for the fields around a client's bytes."""

MAX_LENGTH: Final = MAX_BUFFER + EXTRA_BUFFER
"""The longest buffer or string that is read, and all authinfo of one packet together."""

NULL: Final = -1
"""The length of null."""

_INT = struct.Struct(">i")
_LONG = struct.Struct(">q")
_SHOWN_CHARACTERS = 60

_T = TypeVar("_T")

Parse = Generator[int, bytes, _T]
"""Reads by saying how many bytes it wants next; it is sent just as many."""


class JuteError(ValueError):
    """Bytes that are not what they should be: where, what was read there, what was expected."""

    def __init__(self, where: str, read: str, expected: str) -> None:
        super().__init__(f"{where}: read {read}, expected {expected}")
        self.where = where
        self.read = read
        self.expected = expected


class JuteReader:
    """Reads fields from bytes, front to back. name: of the bytes, for errors."""

    def __init__(
        self, content: bytes, name: str, *, at: int = 0, max_length: int = MAX_LENGTH
    ) -> None:
        self.content = content
        self.name = name
        self.at = at
        self.max_length = max_length

    def read_int(self, tag: str) -> int:
        """32 bits, signed."""
        at = self.at
        if at + 4 > len(self.content):
            self._refuse_short(tag, 4)
        self.at = at + 4
        number: int = _INT.unpack_from(self.content, at)[0]
        return number

    def read_long(self, tag: str) -> int:
        """64 bits, signed."""
        at = self.at
        if at + 8 > len(self.content):
            self._refuse_short(tag, 8)
        self.at = at + 8
        number: int = _LONG.unpack_from(self.content, at)[0]
        return number

    def read_bool(self, tag: str) -> bool:
        """One byte, 0 or 1. Differs: ZooKeeper takes any other byte for true."""
        byte = self.take(1, tag)[0]
        if byte > 1:
            self.at -= 1
            raise self.error(f"{tag} {byte}", "0 or 1")
        return byte == 1

    def read_buffer(self, tag: str) -> bytes | None:
        """None: null."""
        length = self.read_int(tag)
        if length == NULL:
            return None
        if not 0 <= length <= self.max_length:
            self.at -= 4
            raise length_error(self.where, tag, length, self.max_length)
        return self.take(length, tag)

    def read_string(self, tag: str) -> str | None:
        """None: null. Bytes that are no UTF-8 are kept, and written again as they were."""
        content = self.read_buffer(tag)
        return None if content is None else decode_text(content)

    def read_text(self, tag: str) -> str:
        """A string that must not be null."""
        text = self.read_string(tag)
        if text is None:
            self.at -= 4
            raise self.error(f"{tag} that is null", "a string")
        return text

    def read_vector(
        self, tag: str, read_element: Callable[[JuteReader], _T], least: int
    ) -> tuple[_T, ...] | None:
        """None: null. least: bytes of the shortest element, which bounds how many can follow."""
        count = self.read_int(tag)
        if count == NULL:
            return None
        if not 0 <= count <= (len(self.content) - self.at) // least:
            self.at -= 4
            left = len(self.content) - self.at - 4
            raise self.error(f"{tag} of {count} elements", f"as many as fit into {left} bytes")
        return tuple([read_element(self) for _ in range(count)])

    def take(self, length: int, tag: str) -> bytes:
        """So many bytes, not negative."""
        at, end = self.at, self.at + length
        if end > len(self.content):
            self._refuse_short(tag, length)
        self.at = end
        return self.content[at:end]

    @property
    def remaining(self) -> int:
        """How many bytes have not been read."""
        return len(self.content) - self.at

    @property
    def where(self) -> str:
        """The next byte, for errors."""
        return f"{self.name}, byte {self.at}"

    def error(self, read: str, expected: str) -> JuteError:
        """About what starts at the next byte."""
        return JuteError(self.where, read, expected)

    def finish(self) -> None:
        """Raises JuteError unless everything was read."""
        if self.remaining:
            raise self.error(f"{self.remaining} bytes more", "the end")

    def _refuse_short(self, tag: str, length: int) -> None:
        raise self.error(f"{self.remaining} bytes", f"{tag} of {length} bytes")


class JuteWriter:
    """Writes fields, one behind the other. A number that does not fit raises `struct.error`."""

    def __init__(self) -> None:
        self.written = bytearray()

    def write_int(self, number: int) -> None:
        """32 bits, signed."""
        self.written += _INT.pack(number)

    def write_long(self, number: int) -> None:
        """64 bits, signed."""
        self.written += _LONG.pack(number)

    def write_bool(self, truth: bool) -> None:
        """One byte."""
        self.written.append(truth)

    def write_buffer(self, content: bytes | None) -> None:
        """None: null."""
        if content is None:
            self.written += _INT.pack(NULL)
        else:
            self.written += _INT.pack(len(content))
            self.written += content

    def write_string(self, text: str | None) -> None:
        """None: null."""
        self.write_buffer(None if text is None else encode_text(text))

    def write_vector(
        self, elements: tuple[_T, ...] | None, write_element: Callable[[JuteWriter, _T], None]
    ) -> None:
        """None: null."""
        if elements is None:
            self.written += _INT.pack(NULL)
            return
        self.written += _INT.pack(len(elements))
        for element in elements:
            write_element(self, element)

    def getvalue(self) -> bytes:
        """What was written."""
        return bytes(self.written)


def decode_text(content: bytes) -> str:
    """UTF-8; bytes that are not come back from `encode_text` as they were."""
    return content.decode("utf-8", errors="surrogateescape")


def encode_text(text: str) -> bytes:
    """UTF-8."""
    return text.encode("utf-8", errors="surrogateescape")


def shown(text: str) -> str:
    """Text from the wire for a message: short, and in ASCII."""
    return ascii(text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "...")


def length_error(where: str, tag: str, length: int, most: int) -> JuteError:
    """A length out of its bounds."""
    return JuteError(where, f"{tag} of {length} bytes", f"0 to {most} bytes, or -1")


def checked_length(prefix: bytes, where: str, tag: str, most: int) -> int:
    """The length in these four bytes; `NULL`, or up to `most`. Raises JuteError."""
    length: int = _INT.unpack(prefix)[0]
    if NULL <= length <= most:
        return length
    raise length_error(where, tag, length, most)


async def parse_stream(reader: StreamReader, parse: Parse[_T], name: str) -> _T:
    """What this parse makes of the next bytes of a stream; not a byte more is taken.

    Raises JuteError for bytes that are wrong, EOFError where the stream ends too early, and what
    the stream raises.
    """
    wanted = next(parse)
    taken = 0
    try:
        while True:
            content = await reader.readexactly(wanted)
            taken += wanted
            wanted = parse.send(content)
    except StopIteration as done:
        parsed: _T = done.value
        return parsed
    except IncompleteReadError as end:
        taken += len(end.partial)
        message = f"{name}: read the end of the stream at byte {taken}"
        raise EOFError(f"{message}, expected {wanted - len(end.partial)} bytes more") from None


def parse_bytes(content: bytes, parse: Parse[_T], name: str, at: int = 0) -> tuple[_T, int]:
    """What this parse makes of the bytes from there on, and where it ended. Raises JuteError."""
    reader = JuteReader(content, name, at=at)
    wanted = next(parse)
    try:
        while True:
            wanted = parse.send(reader.take(wanted, "the next field"))
    except StopIteration as done:
        return done.value, reader.at
