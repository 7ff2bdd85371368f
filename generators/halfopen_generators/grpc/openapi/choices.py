"""One of several: what a oneOf or anyOf becomes, an enum, a scalar, what is left without null, or a message's oneof."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from halfopen import wording
from halfopen_generators.grpc.openapi.document import Part
from halfopen_generators.grpc.openapi.enums import enum
from halfopen_generators.grpc.openapi.facets import ANNOTATIONS, Schema, flattened
from halfopen_generators.grpc.openapi.losses import Loss, Losses, changed
from halfopen_generators.grpc.openapi.made import NULLABLE, Body
from halfopen_generators.grpc.openapi.naming import type_name
from halfopen_generators.grpc.openapi.scalars import ANY, Type, plain_values

if TYPE_CHECKING:
    from halfopen_generators.grpc.openapi.schemas import Schemas

_KEYS = ("oneOf", "anyOf")
# What says something about the members of an object without saying what it is.
_CONDITIONS = frozenset({"required", "not", "if", "then", "else", "dependentRequired", "dependentSchemas"})
_SCALARS = ("string", "integer", "number", "boolean")

ONEOF = changed(
    'One of several types is a oneof: its JSON has the name of the member around it ({"card": {...}}), where the '
    "document has the member alone.",
    "Clients of the JSON have to add the level. A reader of the message asks which member is set.",
)
DISCRIMINATOR = changed(
    "Which property tells the types of a oneOf apart is told by the oneof; where they have it, it stays a field.",
    "Leave the property out with `remove` if nobody needs it beside the oneof.",
)
SEVERAL_AT_ONCE = changed(
    "An anyOf may be several of its types at once, and a oneof is one at most.",
    "If several are meant, write them as fields of one message in the spec.",
)
ALTERNATIVES = Loss(
    "Alternatives that have one Protobuf type are that type: what tells them apart isn't carried over.",
    "Check in the server what each of them allows.",
)


@dataclass(frozen=True)
class Group:
    """The members of one oneOf or anyOf: where it stands, and which there are beside null."""

    facet: Part
    key: str
    members: tuple[Part, ...]
    null: bool


def groups(schema: Schema) -> Iterator[Group]:
    """Those that choose between types; one that only sets conditions is left unread."""
    own = {facet.at for facet in schema.facets}
    for facet in schema.facets:
        for key in _KEYS:
            members = facet.items(key)
            circular = [member for member in members if isinstance(member.value, dict) and member.followed().at in own]
            if circular and facet is not schema.first:
                continue  # what extends a type that lists it among its own
            members = [member for member in members if member not in circular]
            real = [member for member in members if not _is_condition(member)]
            kept = tuple(member for member in real if kind_of(member, schema) != "null")
            if real:
                yield Group(facet, key, kept, null=len(kept) < len(real))


def _is_condition(member: Part) -> bool:
    return isinstance(member.value, dict) and bool(member.value) and set(member.value) <= _CONDITIONS | ANNOTATIONS


def kind_of(member: Part, within: Schema) -> str:
    """What a member is: a JSON type, enum for texts that are listed, several, or any."""
    schema = flattened(member, within.losses)
    kinds, null = schema.types()
    values = [value for facet in schema.facets for value in _listed(facet)]
    if values:
        if values == [None]:
            return "null"
        if all(isinstance(value, str) for value in values):
            return "enum"
    if schema.has("properties", "oneOf", "anyOf", "additionalProperties"):
        return "object"
    if not kinds:
        return "array" if schema.has("items") else "null" if null else "any"
    return kinds[0] if len(kinds) == 1 else "several"


def _listed(facet: Part) -> list[object]:
    if "const" in facet:
        return [facet.value["const"]]
    found = facet.value.get("enum")
    return found if isinstance(found, list) else []


def choice(schemas: Schemas, schema: Schema, hint: str, kinds: list[str]) -> Type | None:
    """What the choice becomes; None if there is none to be made."""
    found = list(groups(schema))
    if not found:
        return None
    null = any(group.null for group in found)
    own = schema.has("properties", "additionalProperties") or len(found) > 1
    if not own and (one := _simple(schemas, schema, found[0], hint, kinds)) is not None:
        return replace(one, nullable=one.nullable or null)
    return replace(schemas.message(schema, hint), nullable=null)


def _simple(schemas: Schemas, schema: Schema, group: Group, hint: str, kinds: list[str]) -> Type | None:
    """What needs no oneof."""
    members = group.members
    if not members:
        return Type(ANY, of="message")
    if len(members) == 1:
        return schemas.type(members[0], hint)
    found = [kind_of(member, schema) for member in members]
    if all(kind == "enum" for kind in found):
        return _union(schemas, schema, members, hint)
    if set(found) == {"enum", "string"}:
        return _open_enum(schemas, group, members, hint, found)
    if set(found) <= {"integer", "number"} or (len(set(found)) == 1 and found[0] in _SCALARS):
        types = [schemas.type(member, hint) for member in members]
        if len({(one.name, one.label) for one in types}) == 1 or set(found) == {"integer", "number"}:
            schemas.losses.tell(ALTERNATIVES, (*group.facet.at, group.key))
            notes = tuple(dict.fromkeys(note for one in types for note in one.notes))
            name = types[0].name if len({one.name for one in types}) == 1 else "double"
            return Type(name, nullable=any(one.nullable for one in types), notes=notes, of=types[0].of)
    del kinds
    return None


def _union(schemas: Schemas, schema: Schema, members: tuple[Part, ...], hint: str) -> Type:
    """One enum of all the values."""
    values: dict[str, str] = {}
    for member in members:
        for facet in flattened(member, schemas.losses).facets:
            said = "\n".join(schemas.notes(facet))
            facet.text("type")
            listed = [facet.raw("const")] if "const" in facet else plain_values(facet, "enum")
            values |= {str(value): values.get(str(value)) or said for value in listed}
    return enum(schemas, schema, hint, values)


def _open_enum(schemas: Schemas, group: Group, members: tuple[Part, ...], hint: str, kinds: list[str]) -> Type:
    """A text of which some values are known."""
    notes: list[str] = []
    base = Type("string")
    for member, kind in zip(members, kinds, strict=True):
        if kind == "string":
            base = schemas.type(member, hint)
            continue
        for facet in flattened(member, schemas.losses).facets:
            facet.text("type")
            listed = [facet.raw("const")] if "const" in facet else plain_values(facet, "enum")
            notes += [*schemas.notes(facet), f"Known values: {', '.join(map(wording.shown, listed))}."]
    schemas.losses.tell(ALTERNATIVES, (*group.facet.at, group.key))
    return replace(base, rules={}, notes=(*base.notes, *notes))


def add_groups(schemas: Schemas, schema: Schema, body: Body, hint: str) -> None:
    """Add a oneof for each choice to the message."""
    for group in groups(schema):
        schemas.losses.tell(ONEOF, (*group.facet.at, group.key))
        if group.key == "anyOf":
            schemas.losses.tell(SEVERAL_AT_ONCE, (*group.facet.at, group.key))
        property_name, mapping = _discriminator(group, schemas.losses)
        name = body.group(property_name if property_name and "kind" in body.groups else "kind")
        for index, member in enumerate(group.members):
            _add_member(schemas, body, name, member, mapping, f"{hint}Option{index + 1}")


def _discriminator(group: Group, losses: Losses) -> tuple[str, dict[str, str]]:
    """Which property tells, and the names of the members by what they refer to."""
    part = group.facet.part("discriminator")
    if part is None:
        return "", {}
    part.mapping()
    found: dict[str, str] = {}
    known = {_reference(member) for member in group.members}
    for name, target in part.parts("mapping").items():
        for reference in (target.value, f"#/components/schemas/{target.value}"):
            if reference in known:
                part.doc.whole.add(target.at)
                found.setdefault(reference, name)
    losses.tell(DISCRIMINATOR, (*part.at, "propertyName"))
    return part.text("propertyName"), found


def _reference(member: Part) -> str | None:
    found = member.value.get("$ref") if isinstance(member.value, dict) else None
    return found if isinstance(found, str) else None


def _add_member(schemas: Schemas, body: Body, group: str, member: Part, mapping: dict[str, str], hint: str) -> None:
    reference, title = _reference(member), member.value.get("title") if isinstance(member.value, dict) else None
    called = mapping.get(reference) or reference.rpartition("/")[2] if reference is not None else title
    named = type_name(called) if isinstance(called, str) and called.strip() else hint
    found = schemas.type(member, named)
    if found.nullable:
        schemas.losses.tell(NULLABLE, member.at)
    found = schemas.alone(found, member, f"{named}List")
    if not isinstance(called, str) or not called.strip():
        called = f"{found.name}_value" if found.of == "scalar" else hint
    said = schemas.made.field(replace(found, nullable=False), member.at, required=False, member=True)
    body.add(called, said, member.at, found.notes, group=group)
