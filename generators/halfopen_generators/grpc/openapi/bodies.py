"""What an operation takes or answers with beside parameters: which media type, and how it stands in a message."""

from __future__ import annotations

import re
from dataclasses import dataclass

from halfopen.protobuf import same_name
from halfopen_generators.grpc.openapi.document import Part
from halfopen_generators.grpc.openapi.facets import Schema, flattened
from halfopen_generators.grpc.openapi.losses import changed
from halfopen_generators.grpc.openapi.made import Body
from halfopen_generators.grpc.openapi.naming import field_name, last_word, plural
from halfopen_generators.grpc.openapi.objects import add_fields, properties
from halfopen_generators.grpc.openapi.scalars import Type
from halfopen_generators.grpc.openapi.schemas import Schemas, is_component

_JSON = re.compile(r"application/([\w.+-]*\+)?json\b.*|\*/\*|application/\*")
_STREAM = re.compile(
    r"text/event-stream\b.*|application/(x-)?(ndjson|jsonl|jsonlines|json-lines|json-seq|stream\+json)\b.*"
)
_FORM = re.compile(r"application/x-www-form-urlencoded\b.*")
_MULTIPART = re.compile(r"multipart/.*")
_XML = re.compile(r"(application|text)/([\w.+-]*\+)?xml\b.*")
_TEXT = re.compile(r"text/.*")
_KINDS = (("json", _JSON), ("stream", _STREAM), ("form", _FORM), ("multipart", _MULTIPART), ("xml", _XML),
          ("text", _TEXT))  # fmt: skip
# Last words of schemas that are there for one operation's sake, and so are its request or response itself.
_ENVELOPES = frozenset({"request", "response", "reply", "result", "results", "list", "page", "collection", "envelope",
                        "body", "payload", "input", "output"})  # fmt: skip

FORM = changed(
    "A form: transcoding takes JSON, so callers over HTTP have to send that.", "Keep the old endpoint for forms."
)
XML = changed("XML: gRPC speaks Protobuf, and JSON by transcoding.", "Keep the old endpoint for those who need XML.")
CHUNKS = changed(
    "Bytes of any length are streamed in chunks: a message of gRPC is at most 4 MiB unless both sides say otherwise.",
    "Make the rpc unary in the spec if they are always few. All but the chunk belongs into the first message only.",
)
ALONE = changed(
    "A body that is no request or response message by itself stands in a field of one, which can grow by others. Over "
    "HTTP it is what it was (body and response_body of google.api.http); in gRPC it has the field around it.",
    "Nothing.",
)


@dataclass(frozen=True)
class Content:
    """The media type that was chosen (json, stream, form, multipart, xml, text or bytes), and its schema if any."""

    kind: str
    schema: Part | None
    place: Part


def content(holder: Part) -> Content | None:
    """What is carried over of the media types that a body may have; None if it has none.

    What isn't chosen is left unread.
    """
    found = holder.parts("content")
    if not found:
        return None
    kinds = {name: next((kind for kind, of in _KINDS if of.fullmatch(name.lower())), "bytes") for name in found}
    order = [kind for kind, _ in _KINDS] + ["bytes"]
    chosen = min(found, key=lambda name: order.index(kinds[name]))
    place = found[chosen].mapping()
    schema = place.part("itemSchema") or place.part("schema")
    kind = kinds[chosen]
    binary = schema is not None and isinstance(schema.value, dict) and schema.value.get("format") == "binary"
    if kind == "bytes" or (kind == "json" and binary):
        if schema is not None and isinstance(schema.value, dict) and set(schema.value) <= {"type", "format"}:
            place.doc.whole.add(schema.at)
        return Content("bytes", None, place)
    return Content(kind, schema, place)


def is_envelope(part: Part, rpc: str) -> bool:
    """Whether the schema is there for the sake of one rpc: it has no name, or one that says so."""
    target = part.followed() if isinstance(part.value, dict) else part
    return not is_component(target) or last_word(target.name) in _ENVELOPES or same_name(target.name).startswith(
        same_name(rpc)
    )  # fmt: skip


def as_object(schemas: Schemas, part: Part) -> Schema | None:
    """The schema if it is an object with known properties and no choice between several."""
    if not isinstance(part.value, dict):
        return None
    schema = flattened(part, schemas.losses)
    kinds, null = schema.types()
    plain = schema.has("properties") and kinds in ([], ["object"]) and not null
    return schema if plain and not schema.has("oneOf", "anyOf", "enum", "const") else None


def lists_one(schema: Schema) -> bool:
    """Whether one of its properties is a list, and only one."""
    found = [part for parts in properties(schema).values() for part in parts[:1]]
    lists = [part for part in found if isinstance(part.value, dict) and
             flattened(part, schema.losses).types()[0] == ["array"]]  # fmt: skip
    return len(lists) == 1


def spread(schemas: Schemas, schema: Schema, part: Part, body: Body, hint: str) -> None:
    """Add the fields of an object to a request or response, whose own they are."""
    schemas.spread[schema.first.at] = None
    if isinstance(part.value, dict):
        schemas.spread[part.followed().at] = None
    add_fields(schemas, schema, body, hint)


def field_for(schemas: Schemas, part: Part, hint: str) -> tuple[str, Type]:
    """What a body is called that stands in a field of its own, and its type."""
    found = schemas.type(part, hint)
    target = part.followed() if isinstance(part.value, dict) else part
    if found.label == "repeated":
        name = plural(field_name(found.name)) if found.of != "scalar" and "." not in found.name else "values"
    elif found.label == "map":
        name = "values"
    elif is_component(target) and found.of != "scalar" and "." not in found.name and found.name != "struct":
        name = field_name(found.name)
    else:
        name = "value" if found.of == "scalar" or "." in found.name else "body"
    return name, found
