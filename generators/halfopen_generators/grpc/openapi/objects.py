"""Objects: the fields of a message out of all the schemas that hold for it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from halfopen_generators.grpc.openapi.choices import add_groups
from halfopen_generators.grpc.openapi.document import Part
from halfopen_generators.grpc.openapi.facets import Schema, merged
from halfopen_generators.grpc.openapi.losses import changed
from halfopen_generators.grpc.openapi.made import Body
from halfopen_generators.grpc.openapi.naming import type_name
from halfopen_generators.grpc.openapi.scalars import ANY, Type

if TYPE_CHECKING:
    from halfopen_generators.grpc.openapi.schemas import Schemas

CLOSED = changed(
    "An object that takes no further keys: a Protobuf message keeps unknown fields, while its JSON refuses them.",
    "Nothing, if callers only send what is described.",
)
OPEN = changed(
    "An object with keys of its own and further ones: these are a map beside the fields, and in JSON a level below.",
    "Clients of the JSON have to put them there; leave the map out with `remove` if nobody sends any.",
)
_MORE = "additional_properties"


def properties(schema: Schema) -> dict[str, list[Part]]:
    """All that is said of each property, in the order of the document."""
    found: dict[str, list[Part]] = {}
    for facet in schema.facets:
        for name, part in facet.parts("properties").items():
            found.setdefault(name, []).append(part)
    return found


def required(schema: Schema, known: dict[str, list[Part]]) -> set[str]:
    """The properties that have to be there; names of others are left unread."""
    found: set[str] = set()
    for facet in schema.facets:
        if isinstance(facet.value.get("required"), bool):
            continue  # how OpenAPI says it of parameters; of a schema it says nothing
        for part in facet.items("required"):
            if part.value in known if isinstance(part.value, str) else False:
                part.doc.whole.add(part.at)
                found.add(part.value)
    return found


def add_fields(schemas: Schemas, schema: Schema, body: Body, hint: str) -> None:
    """Add what an object holds to a message: a field for each property, a map for the rest, a oneof for a choice."""
    known = properties(schema)
    needed = required(schema, known)
    for name, parts in known.items():
        found = property_type(schemas, parts, f"{type_name(hint)}{type_name(name)}")
        schemas.made.add(body, name, found, parts[0].at, required=name in needed)
    _add_rest(schemas, schema, body, hint)
    if schema.has("oneOf", "anyOf"):
        add_groups(schemas, schema, body, hint)


def property_type(schemas: Schemas, parts: list[Part], hint: str) -> Type:
    """What a property becomes of which several schemas may speak."""
    different = [part for index, part in enumerate(parts) if part.value not in [each.value for each in parts[:index]]]
    for part in parts:
        if part not in different:
            part.doc.whole.add(part.at)
    if len(different) == 1:
        return schemas.type(different[0], hint)
    both = merged(different, schemas.losses)
    found = schemas.of(both, hint)
    notes = tuple(dict.fromkeys(note for part in both.facets for note in schemas.notes(part)))
    return replace(found, notes=(*notes, *found.notes))


def _add_rest(schemas: Schemas, schema: Schema, body: Body, hint: str) -> None:
    for facet in schema.saying("additionalProperties"):
        part = facet.part("additionalProperties")
        if part is None:
            continue
        if part.value is False:
            part.doc.whole.add(part.at)
            schemas.losses.tell(CLOSED, part.at)
        elif _MORE not in body.fields:
            schemas.losses.tell(OPEN, part.at)
            if part.value is True or part.value == {}:
                part.doc.whole.add(part.at)
                rest = Type(ANY, "map", of="message")
            else:
                rest = schemas.map([part], hint)
            body.add(_MORE, schemas.made.field(rest, part.at, required=False), part.at, rest.notes)


def finish(schemas: Schemas) -> None:
    """Make the messages that were put off, and those that they need."""
    while schemas.pending:
        name, schema = schemas.pending.popleft()
        body = Body()
        add_fields(schemas, schema, body, name)
        schemas.made.comment(name, *schemas.notes_of(schema))
        schemas.made.message(name, body)
