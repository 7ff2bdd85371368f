"""What a field's value has to keep, as protovalidate's options say it (https://protovalidate.com)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

from halfopen.checkers import programs
from halfopen.protobuf import FieldType, field_type
from halfopen_generators.grpc.option_text import block, literal
from halfopen_generators.grpc.spec import FieldSpec
from halfopen_generators.grpc.types import SCALARS

if TYPE_CHECKING:
    from google.protobuf.descriptor_pb2 import DescriptorProto
    from google.protobuf.descriptor_pb2 import FieldDescriptorProto as Field

FILE = "buf/validate/validate.proto"
OPTION = "(buf.validate.field)"
_OF_ANY = "required"
_WELL_KNOWN = ("timestamp", "duration", "any", "field_mask")
# The rules that hold for what a list or a map holds.
_INNER = {"repeated": ("items",), "map": ("keys", "values")}
_MESSAGES = {"google.protobuf.Duration", "google.protobuf.Timestamp"}
# protovalidate's own extension of its options; not for a spec.
_NOT_OFFERED = frozenset({"example"})


@dataclass(frozen=True)
class Fault:
    """What is wrong with the rules at a place in them, the value that stands there, and what may stand there."""

    place: tuple[str, ...]
    message: str
    value: str
    legal: tuple[str, ...] = ()


def rule_options(asked: FieldSpec, *, is_enum: bool) -> tuple[str, ...]:
    """The options of a field in whose rules `faults` finds none."""
    if not asked.rules:
        return ()  # without compiling protovalidate's definitions
    kind = field_type(asked.type)
    family = _family(kind, is_enum=is_enum)
    entries = list(_entries(asked.rules, kind, is_enum=is_enum))
    found = [f"{OPTION}.{_OF_ANY} = {literal(asked.rules[_OF_ANY])}"] if _OF_ANY in asked.rules else []
    if len(entries) == 1 and not entries[0].endswith("}"):
        name, _, value = entries[0].partition(": ")
        found.append(f"{OPTION}.{family}.{name} = {value}")
    elif entries:
        found.append(f"{OPTION}.{family} = {block(entries)}")
    return tuple(found)


def faults(rules: Mapping[str, Any], kind: FieldType, *, is_enum: bool) -> Iterator[Fault]:
    """What is wrong with the rules of a field of that type."""
    inner = _INNER.get(kind.label, ())
    own = _rules_of(_family(kind, is_enum=is_enum))
    legal = (*inner, *(name for name in own if name not in inner), _OF_ANY)
    for name, value in rules.items():
        if name in inner:
            if not isinstance(value, Mapping):
                yield Fault((name,), "holds rules of its own, such as {min_len: 1}", str(value))
                continue
            one = FieldType(kind.key) if name == "keys" else FieldType(kind.name)
            for fault in faults(value, one, is_enum=is_enum and name != "keys"):
                yield replace(fault, place=(name, *fault.place))
        elif name == _OF_ANY:
            if not isinstance(value, bool):
                yield Fault((name,), "is true or false", str(value))
        elif name not in own:
            yield Fault((name,), f"no rule of {kind.name} is called {name!r}", name, legal)
        elif (expected := _unfit(own[name], value)) is not None:
            yield Fault((name,), expected, str(value))


def _family(kind: FieldType, *, is_enum: bool) -> str:
    """Which group of rules holds for that type; empty for a message, of which only its being there can be asked."""
    if kind.label in _INNER:
        return kind.label
    if is_enum:
        return "enum"
    return kind.name if kind.name in {*SCALARS, *_WELL_KNOWN} else ""


def _entries(rules: Mapping[str, Any], kind: FieldType, *, is_enum: bool) -> Iterator[str]:
    """The rules as the entries of a message; one that is to be there (`required`) is none of them."""
    known = _rules_of(_family(kind, is_enum=is_enum))
    for name, value in rules.items():
        if name == _OF_ANY:
            continue
        if name in _INNER.get(kind.label, ()):
            one = FieldType(kind.key) if name == "keys" else FieldType(kind.name)
            of_enum = is_enum and name != "keys"
            inner = [f"{_OF_ANY}: {literal(value[_OF_ANY])}"] if _OF_ANY in value else []
            if entries := list(_entries(value, one, is_enum=of_enum)):
                inner.append(f"{_family(one, is_enum=of_enum)}: {block(entries)}")
            yield f"{name}: {block(inner)}"
        elif isinstance(value, Sequence) and not isinstance(value, str):
            yield from (f"{name}: {_literal(known[name], each)}" for each in value)
        else:
            yield f"{name}: {_literal(known[name], value)}"


def _literal(field: Field, value: Any) -> str:
    if field.type_name.lstrip(".") in _MESSAGES:
        from google.protobuf.duration_pb2 import Duration  # noqa: PLC0415 - only who has rules pays for it
        from google.protobuf.timestamp_pb2 import Timestamp  # noqa: PLC0415 - the same

        found = Duration() if field.type_name.endswith("Duration") else Timestamp()
        found.FromJsonString(str(value))
        return block(f"{part.name}: {number}" for part, number in found.ListFields())
    if field.type in {field.TYPE_FLOAT, field.TYPE_DOUBLE}:
        return literal(float(value))
    return literal(value)


def _unfit(field: Field, value: Any) -> str | None:
    """What the value should have been; None if it fits."""
    several = field.label == field.LABEL_REPEATED
    if several != (isinstance(value, Sequence) and not isinstance(value, str)):
        return "is a list" if several else "is one value"
    for one in value if several else (value,):
        if (expected := _unfit_one(field, one)) is not None:
            return expected
    return None


def _unfit_one(field: Field, value: Any) -> str | None:
    if field.type == field.TYPE_BOOL:
        return None if isinstance(value, bool) else "is true or false"
    if field.type in {field.TYPE_STRING, field.TYPE_BYTES}:
        return None if isinstance(value, str) else "is a text"
    if field.type in {field.TYPE_FLOAT, field.TYPE_DOUBLE}:
        return None if isinstance(value, int | float) and not isinstance(value, bool) else "is a number"
    if field.type == field.TYPE_MESSAGE:
        try:
            _literal(field, value)
        except (ValueError, TypeError):
            example = "30s" if field.type_name.endswith("Duration") else "2030-01-01T00:00:00Z"
            return f"is {'a duration in seconds' if example == '30s' else 'a time'}, such as {example}"
        return None
    fits = isinstance(value, int) and not isinstance(value, bool)
    unsigned = field.type in {field.TYPE_UINT32, field.TYPE_UINT64, field.TYPE_FIXED32, field.TYPE_FIXED64}
    return (
        None if fits and not (unsigned and value < 0) else "is a whole number" + (", not below 0" if unsigned else "")
    )


@cache
def _rules_of(family: str) -> Mapping[str, Field]:
    """The rules of a family by name, from protovalidate's own definitions."""
    field = next((field for field in _messages()["FieldRules"].field if field.name == family), None)
    if field is None:
        return {}
    offered = _messages()[field.type_name.rpartition(".")[2]].field
    messages = {each.name for each in offered if each.type == each.TYPE_MESSAGE}
    usable = {each.name for each in offered if each.type_name.lstrip(".") in _MESSAGES}
    return {
        each.name: each
        for each in offered
        if each.name not in _NOT_OFFERED and each.type != each.TYPE_ENUM
        and (each.name not in messages or each.name in usable)
    }  # fmt: skip


@cache
def _messages() -> Mapping[str, DescriptorProto]:
    from google.protobuf.descriptor_pb2 import FileDescriptorSet  # noqa: PLC0415 - only who has rules pays for it

    importing = f'syntax = "proto3";\nimport "{FILE}";\nmessage Rules {{ buf.validate.FieldRules of = 1; }}\n'
    files = FileDescriptorSet.FromString(programs.descriptor_set(".", {"rules.proto": importing})).file
    return {message.name: message for file in files if file.name == FILE for message in file.message_type}
