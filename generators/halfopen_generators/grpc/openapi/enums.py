"""Values that are listed one by one: enums, and rules where Protobuf's enums can't hold them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from halfopen import wording
from halfopen_generators.grpc.openapi.document import Part, is_finite
from halfopen_generators.grpc.openapi.facets import Schema
from halfopen_generators.grpc.openapi.losses import changed
from halfopen_generators.grpc.openapi.naming import type_name, value_names
from halfopen_generators.grpc.openapi.scalars import OUT_OF_TYPE, Type, in_range, plain_values, scalar
from halfopen_generators.grpc.spec import MAX_FIELDS

if TYPE_CHECKING:
    from halfopen_generators.grpc.openapi.schemas import Schemas

# Extensions by which generators name the values of an enum of numbers.
_NAMES = ("x-enum-varnames", "x-enumNames", "x-enum-descriptions", "x-enumDescriptions")
_LARGEST = 2**31

SPELLED = changed(
    "An enum: Protobuf's JSON spells its values with the enum's name before them (ORDER_STATUS_PLACED for placed), and "
    "a receiver also takes numbers that it doesn't know.",
    "Clients of the JSON have to send the new names; say `rules: {defined_only: true}` for a field that takes no "
    "other, or `string` in the spec if the JSON has to stay.",
)


def constants(schemas: Schemas, schema: Schema, hint: str, kinds: list[str]) -> Type | None:
    """What a value becomes that is one of those listed; None if they aren't numbers, texts or truth values."""
    said = [
        value for facet in schema.facets for key in ("enum", "const") if key in facet for value in _peek(facet, key)
    ]
    kind = _kind([value for value in said if value is not None])
    if kind is None or (kinds and kind not in kinds and not (kind == "integer" and "number" in kinds)):
        return None
    lists = [_read(facet, key) for facet in schema.facets for key in ("enum", "const") if key in facet]
    values = [value for value in lists[0] if all(value in other for other in lists[1:])]
    null = None in values
    values = _distinct(value for value in values if value is not None)
    if len(kinds) == 1 and kinds[0] == "number":
        kind = "number"
    # One value of its own is a mark, such as a discriminator's, and not an enum.
    fixed = len(values) == 1
    return replace(_made(schemas, schema, hint, kind, values, fixed=fixed), nullable=null)


def _made(schemas: Schemas, schema: Schema, hint: str, kind: str, values: list[Any], *, fixed: bool) -> Type:
    if kind == "boolean":
        return Type("bool", rules={"const": values[0]} if len(values) == 1 else {})
    if kind == "string" and not fixed and 0 < len(values) < MAX_FIELDS:
        return enum(schemas, schema, hint, dict.fromkeys(values, ""))
    if kind == "integer" and not fixed and _can_be_numbers(values):
        return _numbered(schemas, schema, hint, values)
    found = scalar(schema, kind)
    if not values or found.of != "scalar" or found.name == "bytes":
        return found
    if not all(is_finite(value) if kind == "number" else in_range(found.name, value) for value in values):
        schemas.losses.tell(OUT_OF_TYPE, schema.first.at)
        return found
    if kind == "number":
        values = [float(value) for value in values]
    return replace(found, rules={"const": values[0]} if fixed else {"in": values})


def enum(schemas: Schemas, schema: Schema, hint: str, values: dict[str, str]) -> Type:
    """An enum of texts, with what is said of each."""
    names = value_names(values, type_name(hint))
    name = _named(schemas, schema, hint, names)
    schemas.made.enums[name] = names
    said = _extension(schema, "x-enum-descriptions", "x-enumDescriptions", count=len(values))
    for value_name, (value, text), more in zip(names, values.items(), said or [""] * len(values), strict=True):
        schemas.made.comment(f"{name}.{value_name}", text, more, f"{wording.shown(value)} in OpenAPI.")
    return Type(name, of="enum")


def _numbered(schemas: Schemas, schema: Schema, hint: str, values: list[int]) -> Type:
    given = _extension(schema, "x-enum-varnames", "x-enumNames", count=len(values))
    words = given or [f"minus {-value}" if value < 0 else f"value {value}" for value in values]
    names = value_names(words, type_name(hint))
    name = _named(schemas, schema, hint, names)
    schemas.made.enums[name] = dict(zip(names, values, strict=True))
    for value_name, text in zip(names, _extension(schema, "x-enum-descriptions", "x-enumDescriptions",
                                                  count=len(values)), strict=False):  # fmt: skip
        schemas.made.comment(f"{name}.{value_name}", text)
    return Type(name, of="enum")


def _named(schemas: Schemas, schema: Schema, hint: str, names: list[str]) -> str:
    name = schemas.scope.enum(hint, names)
    schemas.placed("enums", name, schema.first.at)
    schemas.losses.tell(SPELLED, schema.first.at)
    schemas.made.comment(name, *schemas.notes_of(schema))
    return name


def _can_be_numbers(values: list[int]) -> bool:
    # Zero is what a field holds that nobody set, so an enum in which it means something stays a number.
    return 0 < len(values) < MAX_FIELDS and 0 not in values and all(-_LARGEST <= value < _LARGEST for value in values)


def _extension(schema: Schema, *keys: str, count: int) -> list[str]:
    """What an extension lists for each of the values; empty if there is none that fits."""
    for facet in schema.facets:
        for key in keys:
            found = facet.value.get(key)
            if isinstance(found, list) and len(found) == count and all(isinstance(text, str) for text in found):
                facet.raw(key)
                return found
    return []


def _peek(facet: Part, key: str) -> list[Any]:
    found = facet.value[key]
    if key == "const":
        return [found]
    return found if isinstance(found, list) else facet.items(key)


def _read(facet: Part, key: str) -> list[Any]:
    return [facet.raw(key)] if key == "const" else plain_values(facet, key)


def _kind(values: list[Any]) -> str | None:
    for kind, of in (("boolean", bool), ("string", str), ("integer", int), ("number", (int, float))):
        if values and all(isinstance(value, of) and (kind == "boolean" or not isinstance(value, bool))
                          for value in values):  # fmt: skip
            return kind
    return None


def _distinct(values: Any) -> list[Any]:
    return list(dict.fromkeys(values))
