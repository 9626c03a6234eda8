"""Jute records, declared as zookeeper.jute declares them: a class, its fields and their types."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, TypeAlias, TypeVar, get_args, get_type_hints

from attrs import fields, frozen

from impl.jute import JuteReader, JuteWriter

_R = TypeVar("_R")


@frozen(eq=False)
class Kind:
    """How a field of a record is read and written."""

    read: Callable[[JuteReader, str], Any]
    write: Callable[[JuteWriter, Any], None]
    least: int
    """Bytes of the shortest value."""


Int: TypeAlias = Annotated[int, Kind(JuteReader.read_int, JuteWriter.write_int, 4)]
Long: TypeAlias = Annotated[int, Kind(JuteReader.read_long, JuteWriter.write_long, 8)]
Boolean: TypeAlias = Annotated[bool, Kind(JuteReader.read_bool, JuteWriter.write_bool, 1)]
Buffer: TypeAlias = Annotated[
    bytes | None, Kind(JuteReader.read_buffer, JuteWriter.write_buffer, 4)
]
Text: TypeAlias = Annotated[str, Kind(JuteReader.read_text, JuteWriter.write_string, 4)]
"""A ustring that must not be null."""
NullableText: TypeAlias = Annotated[
    str | None, Kind(JuteReader.read_string, JuteWriter.write_string, 4)
]


def vector(element: Kind | type) -> Kind:
    """Of values of one kind, or of records of one class."""
    kind = element if isinstance(element, Kind) else record_kind(element)

    def read_element(reader: JuteReader) -> object:
        return kind.read(reader, "element")

    def read(reader: JuteReader, tag: str) -> tuple[object, ...] | None:
        return reader.read_vector(tag, read_element, kind.least)

    def write(writer: JuteWriter, elements: tuple[object, ...] | None) -> None:
        writer.write_vector(elements, kind.write)

    return Kind(read, write, 4)


def record_kind(record_class: type) -> Kind:
    """A record as a field of another, or in a vector."""

    def read(reader: JuteReader, _tag: str) -> object:
        return read_record(record_class, reader)

    return Kind(read, write_record, sum(kind.least for _, kind in _plan(record_class)))


def read_record(record_class: type[_R], reader: JuteReader) -> _R:
    """The record that comes next. Raises JuteError."""
    return record_class(*[kind.read(reader, tag) for tag, kind in _plan(record_class)])


def write_record(writer: JuteWriter, record: object) -> None:
    """Behind what was written so far."""
    for name, kind in _plan(type(record)):
        kind.write(writer, getattr(record, name))


def decode_record(record_class: type[_R], content: bytes | None, name: str) -> _R:
    """The record that is all of these bytes. Raises JuteError; null is no bytes."""
    reader = JuteReader(content or b"", name)
    record = read_record(record_class, reader)
    reader.finish()
    return record


def encode_record(record: object) -> bytes:
    """Its bytes."""
    writer = JuteWriter()
    write_record(writer, record)
    return writer.getvalue()


def _plan(record_class: type) -> tuple[tuple[str, Kind], ...]:
    plan = _PLANS.get(record_class)
    if plan is None:
        hints = get_type_hints(record_class, include_extras=True)
        names = [field.name for field in fields(record_class)]
        plan = tuple((name, _kind(hints[name])) for name in names)
        _PLANS[record_class] = plan
    return plan


def _kind(hint: object) -> Kind:
    return next(part for part in get_args(hint) if isinstance(part, Kind))


_PLANS: dict[type, tuple[tuple[str, Kind], ...]] = {}


@frozen
class Id:
    """Who: of a client that authenticated itself, or in an ACL."""

    scheme: Text
    id: Text


@frozen
class Acl:
    """What someone may do. perms: bits, read 1, write 2, create 4, delete 8, admin 16."""

    perms: Int
    id: Annotated[Id, record_kind(Id)]


Ids: TypeAlias = Annotated[tuple[Id, ...] | None, vector(Id)]
Acls: TypeAlias = Annotated[tuple[Acl, ...] | None, vector(Acl)]
Texts: TypeAlias = Annotated[
    tuple[str, ...] | None, vector(Kind(JuteReader.read_text, JuteWriter.write_string, 4))
]

OPEN_ACL_UNSAFE = (Acl(31, Id("world", "anyone")),)
"""Everybody may do everything."""
READ_ACL_UNSAFE = (Acl(1, Id("world", "anyone")),)
"""Everybody may read."""
