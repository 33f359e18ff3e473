"""The columns of a table of records, as the types in `models.Record` make them; nothing here knows a format."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, get_type_hints

import msgspec
from msgspec import NODEFAULT, Raw, inspect

from crawler.errors import RunError
from crawler.models import Record

FIELDS: tuple[str, ...] = Record.__struct_fields__
HINTS: Mapping[str, Any] = get_type_hints(Record)
TIMES = frozenset(("fetched_at",))  # text in a record, and always as `records.timestamp` writes it

_SCALARS = (inspect.StrType, inspect.LiteralType, inspect.IntType, inspect.FloatType, inspect.BoolType)
_REQUIRED = {
    field.name for field in msgspec.structs.fields(Record) if field.default is field.default_factory is NODEFAULT
}
_NULL = Raw(b"null")


def kind_of(name: str) -> inspect.Type:
    """What a field is where it is not null; `AnyType` where it may be several things."""
    return without_none(inspect.type_info(HINTS[name]))


def without_none(kind: inspect.Type) -> inspect.Type:
    """What a type is when None is left out of it; `AnyType` where it may be several things."""
    if not isinstance(kind, inspect.UnionType):
        return kind
    others = [each for each in kind.types if not isinstance(each, inspect.NoneType)]
    return others[0] if len(others) == 1 else inspect.AnyType()


def is_part(name: str) -> bool:
    """Whether a name leads into a field, as `og.title` does; what stands there may be anything that JSON has."""
    return "." in name


def is_scalar(name: str) -> bool:
    """Whether a field holds text, a number or a truth value, and no list or object."""
    return isinstance(kind_of(name), _SCALARS)


def has_parts(name: str) -> bool:
    """Whether a field may hold an object, so that a key leads into it."""
    return not is_scalar(name) and not isinstance(kind_of(name), inspect.ListType)


def reader(hints: Mapping[str, Any], *, is_whole: bool) -> Callable[[bytes], Any]:
    """A function that takes of a line, which is UTF-8, just some fields: an object with these attributes in this order.

    A field of type `Raw` is left as it stands in the line, for `json_text`. A part that a record lacks is null.

    Args:
        hints: Field, or part of one → type to read it as; of parts, `Raw` or `Any`.
        is_whole: Whether a field that is not among them is an error, because it would be lost.

    Raises:
        RunError: By the function, if the line is no such record.
    """
    if any(map(is_part, hints)):
        return _reader_of_parts(hints)
    fields = [(name, hint, _default(name, hint)) for name, hint in hints.items()]
    kind = msgspec.defstruct("Row", fields, kw_only=True, forbid_unknown_fields=is_whole, gc=False)
    decode = msgspec.json.Decoder(kind).decode

    def read(line: bytes) -> Any:
        try:
            return decode(line)
        except msgspec.DecodeError as error:
            raise _fault(line, error) from None

    return read


def _reader_of_parts(hints: Mapping[str, Any]) -> Callable[[bytes], Any]:
    """What `reader` is where there are parts: their fields are taken as they stand, and looked into."""
    fields: dict[str, Any] = {}
    for name, hint in hints.items():
        field = name.partition(".")[0]
        fields[field] = Raw if is_part(name) or fields.get(field) is Raw else hint
    read = reader(fields, is_whole=False)
    places = [(*name.split("."), hint) for name, hint in hints.items()]
    named = {f"column_{place}": name for place, name in enumerate(hints)}  # a name with a dot is no attribute
    row = msgspec.defstruct("Row", list(named), rename=named, gc=False)

    def read_parts(line: bytes) -> Any:
        record = read(line)
        return row(*[_part(getattr(record, field), keys, hint) for field, *keys, hint in places])

    return read_parts


def _part(value: Any, keys: Sequence[str], hint: Any) -> Any:
    for key in keys:
        try:
            value = msgspec.json.decode(value, type=dict[str, Raw]).get(key, _NULL)
        except msgspec.ValidationError:  # no object, so it has no parts
            value = _NULL
    return msgspec.json.decode(value, type=hint) if isinstance(value, Raw) and hint is not Raw else value


def json_text(value: Raw) -> str | None:
    """What was left as it stood, as text; None for null."""
    return None if value == _NULL else str(value, "utf-8")


def grouped(lines: Iterable[bytes], max_rows: int, max_bytes: int) -> Iterator[list[bytes]]:
    """Lines in lists that are short enough to be held in memory, none of them empty.

    Args:
        lines: Any number.
        max_rows: Most lines of a list.
        max_bytes: Size at which a list is closed, bytes.
    """
    group: list[bytes] = []
    weight = 0
    for line in lines:
        group.append(line)
        weight += len(line)
        if weight >= max_bytes or len(group) >= max_rows:
            yield group
            group, weight = [], 0
    if group:
        yield group


def names_or_all(names: Sequence[str] | None) -> Sequence[str]:
    """The chosen fields, or all of a record."""
    return FIELDS if names is None else names


def _default(name: str, hint: Any) -> Any:
    if name in _REQUIRED:
        return NODEFAULT
    return _NULL if hint is Raw else None


def _fault(line: bytes, error: Exception) -> RunError:
    try:
        strangers = msgspec.json.decode(line, type=dict[str, Raw]).keys() - set(FIELDS)
    except msgspec.DecodeError:
        strangers = set()
    if strangers:
        return RunError(f"the journal holds fields that this version does not know: {', '.join(sorted(strangers))}")
    return RunError(f"a line of the journal is no record ({error}): {line[:200]!r}; `crawler verify` tells more")
