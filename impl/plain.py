"""Frozen classes as plain JSON objects, both ways: what happens to a simulated server, and is seen.

Bytes are written as hex digits, tuples and pairs as arrays. The name of the class stands first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from types import NoneType, UnionType
from typing import Any, Generic, TypeVar, get_args, get_origin, get_type_hints

Plain = TypeVar("Plain")

_OUT: dict[type, Callable[[Any], object]] = {
    bytes: bytes.hex,
    tuple: lambda value: [list(one) if isinstance(one, tuple) else one for one in value],
}

_PAIR = 2


class PlainFormat(Generic[Plain]):
    """The JSON form of some classes. key: under which the name of the class stands."""

    def __init__(self, key: str, classes: Iterable[type[Plain]]) -> None:
        self._key = key
        self._classes = {one.__name__: one for one in classes}
        self._hints = {one: get_type_hints(one) for one in self._classes.values()}

    def to_json(self, value: Plain) -> dict[str, object]:
        """As a JSON object."""
        written: dict[str, object] = {self._key: type(value).__name__}
        for name in self._hints[type(value)]:
            one = getattr(value, name)
            out = _OUT.get(type(one))
            written[name] = one if out is None else out(one)
        return written

    def from_json(self, written: Mapping[str, object]) -> Plain:
        """From a JSON object. Raises ValueError: what was read, and what was expected."""
        named = written.get(self._key)
        found = self._classes.get(named) if isinstance(named, str) else None
        if found is None:
            expected = ", ".join(self._classes)
            raise ValueError(f"read {self._key} {named!a}, expected one of {expected}")
        fields = {key: value for key, value in written.items() if key != self._key}
        unknown = fields.keys() - self._hints[found].keys()
        if unknown:
            raise ValueError(f"read {named} with {sorted(unknown)}, expected no such key")
        hints = self._hints[found]
        try:
            return found(**{key: _read(key, one, hints[key]) for key, one in fields.items()})
        except TypeError as error:
            raise ValueError(f"read {named} with {sorted(fields)}: {error}") from None


def _read(key: str, value: object, hint: object) -> object:
    options = get_args(hint) if isinstance(hint, UnionType) else (hint,)
    if value is None and NoneType in options:
        return None
    if bytes in options and isinstance(value, str):
        with suppress(ValueError):
            return bytes.fromhex(value)
    elif get_origin(hint) is tuple and isinstance(value, list):
        one = get_args(hint)[0]
        if get_origin(one) is not tuple:
            return tuple(_read(key, each, one) for each in value)
        kinds = get_args(one)
        return tuple(tuple(map(_read, (key, key), pair, kinds)) for pair in _pairs(key, value))
    elif type(value) in options:
        return value
    elif hint is float and type(value) is int:
        return float(value)
    expected = " or ".join(getattr(one, "__name__", str(one)) for one in options)
    raise ValueError(f"read {key} {str(value)[:40]!a}, expected {expected}")


def _pairs(key: str, value: list[object]) -> list[list[object]]:
    pairs = [one for one in value if isinstance(one, list) and len(one) == _PAIR]
    if len(pairs) != len(value):
        raise ValueError(f"read {key} {str(value)[:40]!a}, expected pairs")
    return pairs
