"""What a system answers over lines, read and checked: nothing that is misspelled passes for unseen.

Arrays become tuples, so that they compare with the values of `plain.py`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from zabspec.conform.plain import Plain
from zabspec.conform.system import SHOWS, SystemFailed, shortened

_ZXID, _TXN = 2, 3


def read_answer(line: bytes) -> Plain:
    """The object in a line. Raises SystemFailed."""
    try:
        answer = json.loads(line)
    except (ValueError, RecursionError):
        raise SystemFailed(f"read {_said(line)}, expected one line of JSON") from None
    if not isinstance(answer, dict):
        raise SystemFailed(f"read {_said(line)}, expected an object")
    return {key: _frozen(value) for key, value in answer.items()}


def effects_of(answer: Plain) -> tuple[Plain, ...]:
    """What a step answered that was done. Raises SystemFailed."""
    effects = _field(answer, "effects", "an array", lambda value: isinstance(value, tuple))
    for number, effect in enumerate(effects):
        where = f"effects[{number}]"
        if not isinstance(effect, Mapping) or effect.get("type") not in _EFFECTS:
            raise _unexpected(where, effect, f"an object with a type of {', '.join(_EFFECTS)}")
        needed, more = _EFFECTS[effect["type"]]
        _check(effect, where, needed, {**more, "type": _TEXT})
    return tuple(effects)


def shown_of(answer: Plain, declared: frozenset[str]) -> Plain:
    """What it shows, which is what it has declared; a failed server has less. Raises SystemFailed.

    declared: keys.
    """
    shown = _field(answer, "shows", "an object", lambda value: isinstance(value, Mapping))
    _check(shown, "shows", {}, _SHOWN)
    undeclared = sorted(set(shown) - declared - {"broken"})
    if undeclared:
        raise _unexpected("shows", undeclared[0], f"what was declared: {_listed(declared)}")
    missing = sorted(declared - set(shown) - _left_out(shown))
    if missing:
        raise SystemFailed(f'read shows without "{missing[0]}", which was declared')
    return shown  # type: ignore[no-any-return]  # checked above


def is_copied(answer: Plain) -> bool:
    """Whether a server could be copied. Raises SystemFailed."""
    return bool(_field(answer, "copied", "true or false", lambda value: isinstance(value, bool)))


def leader_of(answer: Plain) -> int | None:
    """Whom votes elect; None where nobody. Raises SystemFailed."""
    expected, holds = _SID
    leader: int | None = _field(answer, "leader", expected, holds)
    return leader


def declared_keys(shows: Iterable[str]) -> frozenset[str]:
    """The keys that these words stand for."""
    return frozenset(key for word in shows for key in SHOWS.get(word, (word,)))


def words_of(answer: Plain, name: str, known: Iterable[str]) -> frozenset[str]:
    """A list of known words. Raises SystemFailed."""
    found = _field(answer, name, "an array", lambda value: isinstance(value, tuple))
    for word in found:
        if word not in tuple(known):
            raise _unexpected(name, word, f"of {_listed(known)}")
    return frozenset(found)


def _left_out(shown: Plain) -> frozenset[str]:
    """What a server cannot show that did not start again, or whose disk none would load."""
    unread = ("accepted_epoch", "current_epoch", "durable", "snapshot") if "broken" in shown else ()
    unloaded = (*SHOWS["database"], "leader") if shown.get("role") == "Failed" else ()
    return frozenset((*unloaded, *unread))


def _check(found: Plain, where: str, needed: _Fields, more: _Fields) -> None:
    for key, value in found.items():
        kind = needed.get(key) or more.get(key)
        if kind is None:
            raise _unexpected(where, key, f"keys of {_listed((*needed, *more))}")
        expected, holds = kind
        if not holds(value):
            raise _unexpected(f"{where}.{key}", value, expected)
    for key in needed:
        if key not in found:
            raise _unexpected(where, found, f'"{key}" in it')


def _field(answer: Plain, name: str, expected: str, holds: Callable[[Any], bool]) -> Any:  # noqa: ANN401
    if name not in answer:
        raise SystemFailed(f'read {_said(answer)}, expected "{name}" in it')
    if not holds(answer[name]):
        raise _unexpected(name, answer[name], expected)
    return answer[name]


def _frozen(value: Any) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(value, list):
        return tuple(map(_frozen, value))
    if isinstance(value, dict):
        return {key: _frozen(one) for key, one in value.items()}
    return value


def _unexpected(where: str, value: object, expected: str) -> SystemFailed:
    return SystemFailed(f"read {where} {_said(value)}, expected {expected}")


def _said(value: object) -> str:
    return shortened(ascii(value)[1:] if isinstance(value, bytes) else json.dumps(value))


def _listed(words: Iterable[str]) -> str:
    return ", ".join(sorted(words)) or "nothing"


def _is_number(value: object) -> bool:
    return type(value) is int


def _is_plain(value: object) -> bool:
    """Whether it is made of numbers, texts, null, arrays and objects: of what packets are."""
    if isinstance(value, tuple):
        return all(map(_is_plain, value))
    if isinstance(value, Mapping):
        return all(map(_is_plain, value.values()))
    return value is None or isinstance(value, str) or _is_number(value)


def _is_numbers(value: object, count: int) -> bool:
    return isinstance(value, tuple) and len(value) == count and all(map(_is_number, value))


def _all_numbers(value: object, count: int) -> bool:
    return isinstance(value, tuple) and all(_is_numbers(one, count) for one in value)


_Kind = tuple[str, Callable[[Any], bool]]
_Fields = Mapping[str, _Kind]
_TEXT: _Kind = "a text", lambda value: isinstance(value, str)
_SID: _Kind = "a sid or null", lambda value: value is None or _is_number(value)
_NUMBER: _Kind = "a whole number", _is_number
_TXNS: _Kind = "transactions [epoch, counter, request]", lambda value: _all_numbers(value, _TXN)
_DISK: _Fields = {
    "accepted_epoch": _NUMBER,
    "current_epoch": _NUMBER,
    "durable": _TXNS,
    "snapshot": ("a zxid [epoch, counter]", lambda value: _is_numbers(value, _ZXID)),
}
_PACKET: _Kind = (
    "an object with a type, of numbers, texts, arrays and null",
    lambda value: isinstance(value, Mapping) and "type" in value and _is_plain(value),
)
_PEER = {"peer": _NUMBER}
_EFFECTS: Mapping[str, tuple[_Fields, _Fields]] = {
    "Send": ({**_PEER, "packet": _PACKET}, {**_DISK, "broken": _TEXT}),
    "Open": (_PEER, {}),
    "Close": (_PEER, {}),
    "Write": ({}, {**_DISK, "broken": _TEXT}),
}
"""By type, the fields that an effect must have, and those that it may have."""
_SHOWN: _Fields = {
    "role": _TEXT,
    "phase": _TEXT,
    "leader": _SID,
    **_DISK,
    "holds": _TXNS,
    "last_zxid": ("a zxid [epoch, counter]", lambda value: _is_numbers(value, _ZXID)),
    "window": ("zxids [epoch, counter]", lambda value: _all_numbers(value, _ZXID)),
    "broken": _TEXT,
}
