"""Small ways to break bytes."""

from __future__ import annotations

import struct
from collections.abc import Callable
from random import Random

from impl.jute import MAX_LENGTH

EXTREMES = (-(1 << 31), -2, -1, 0, 1, 255, 65536, MAX_LENGTH, MAX_LENGTH + 1, (1 << 31) - 1)


def mutate(content: bytes, chance: Random, other: bytes) -> tuple[bytes, str]:
    """One mutation, and what it is called."""
    name = chance.choice(tuple(_MUTATIONS))
    return _MUTATIONS[name](content, chance, other), name


def _flip(content: bytes, chance: Random, _other: bytes) -> bytes:
    if not content:
        return b""
    at = chance.randrange(len(content))
    return content[:at] + bytes([content[at] ^ 1 << chance.randrange(8)]) + content[at + 1 :]


def _cut(content: bytes, chance: Random, _other: bytes) -> bytes:
    return content[: chance.randrange(len(content) + 1)]


def _remove(content: bytes, chance: Random, _other: bytes) -> bytes:
    at = chance.randrange(len(content) + 1)
    return content[:at] + content[at + chance.choice((1, 2, 4, 8)) :]


def _insert(content: bytes, chance: Random, _other: bytes) -> bytes:
    at = chance.randrange(len(content) + 1)
    return content[:at] + chance.randbytes(chance.choice((1, 2, 4, 8))) + content[at:]


def _extreme(content: bytes, chance: Random, _other: bytes) -> bytes:
    """Any four bytes may be a length."""
    at = chance.randrange(max(1, len(content) - 3))
    return content[:at] + struct.pack(">i", chance.choice(EXTREMES)) + content[at + 4 :]


def _nudge(content: bytes, chance: Random, _other: bytes) -> bytes:
    """A length that is a little wrong."""
    at = chance.randrange(max(1, len(content) - 3))
    number = int.from_bytes(content[at : at + 4], "big") + chance.choice((-4, -1, 1, 4, 256))
    return content[:at] + (number % (1 << 32)).to_bytes(4, "big") + content[at + 4 :]


def _repeat(content: bytes, chance: Random, _other: bytes) -> bytes:
    at = chance.randrange(len(content) + 1)
    end = chance.randrange(at, len(content) + 1)
    return content[:end] + content[at:end] + content[end:]


def _splice(content: bytes, chance: Random, other: bytes) -> bytes:
    return content[: chance.randrange(len(content) + 1)] + other[chance.randrange(len(other)) :]


_MUTATIONS: dict[str, Callable[[bytes, Random, bytes], bytes]] = {
    "flip": _flip,
    "cut": _cut,
    "remove": _remove,
    "insert": _insert,
    "extreme": _extreme,
    "nudge": _nudge,
    "repeat": _repeat,
    "splice": _splice,
}
