"""What an operation takes: its parameters and its body as the fields of one request, and the path of transcoding."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from halfopen import wording
from halfopen.templates import words
from halfopen_generators.grpc.openapi.bodies import (
    ALONE,
    CHUNKS,
    FORM,
    XML,
    Content,
    as_object,
    content,
    field_for,
    is_envelope,
    spread,
)  # fmt: skip
from halfopen_generators.grpc.openapi.document import Part
from halfopen_generators.grpc.openapi.facets import Schema
from halfopen_generators.grpc.openapi.losses import Loss, changed, guessed
from halfopen_generators.grpc.openapi.made import NULLABLE, REQUIRED_LIST, Body
from halfopen_generators.grpc.openapi.naming import type_name
from halfopen_generators.grpc.openapi.objects import properties
from halfopen_generators.grpc.openapi.rpc_names import Operation
from halfopen_generators.grpc.openapi.scalars import Type
from halfopen_generators.grpc.openapi.schemas import Schemas
from halfopen_generators.grpc.spec import HTTP_VERBS

PLACES = ("path", "query", "header", "cookie")
_DEFAULT_STYLE = {"path": "simple", "header": "simple", "query": "form", "cookie": "form"}
# What OpenAPI itself says to leave out of parameters.
_IGNORED_HEADERS = frozenset({"accept", "content-type", "authorization"})
_IDEMPOTENCY_KEY = (["idempotency", "key"], ["x", "idempotency", "key"])
_SEGMENT = re.compile(r"[A-Za-z0-9._~%-]+|\{[^{}]+\}")
_VARIABLE = re.compile(r"\{([^{}]+)\}")
_LONGEST_PATH = 400

HEADER = changed(
    "A header or cookie is a field of the request: gRPC's metadata is described by no .proto file. Transcoding reads "
    "the field from the query.",
    "Leave the field out with `remove` if a proxy or interceptor handles it as metadata.",
)
IGNORED_HEADER = changed(
    "Accept, Content-Type and Authorization aren't parameters to OpenAPI, nor to gRPC.", "Nothing."
)
KEYED = guessed(
    "A key for idempotency: it is the request_id of the request, and a second call with it changes nothing more.",
    "Make sure that the server remembers the answer by it; else say `idempotency: non-idempotent`.",
)
STYLE = changed(
    "A list or object is spelled in the URL in a way that transcoding doesn't know: it takes ?a=1&a=2, and ?a.b=1.",
    "Nothing for callers of gRPC; those over HTTP have to spell it so.",
)
AS_JSON = changed(
    "A parameter that is itself JSON, or of another media type, is a field of the type that its schema has.",
    "Nothing for callers of gRPC; those over HTTP have to send its fields.",
)
NO_HTTP = Loss(
    "A path or method that google.api.http can't say (a variable is a whole segment; there is no HEAD, and no body "
    "with GET), so the rpc can't be called by it.",
    "Say `http` in the spec with a path that transcoding can have.",
)
NO_FIELD = Loss(
    "A path has a variable that no parameter describes; a text was taken.",
    "Describe it in the document, or give the field a type in the spec.",
)
OPTIONAL_BODY = changed(
    "A body that may be left out: the fields are the request's own, and without a body none of them is set.",
    "Nothing, if an empty body means the same.",
)


# What becomes of a body that isn't JSON.
_OTHERWISE = {"form": FORM, "multipart": FORM, "xml": XML}


@dataclass
class Request:
    """What an rpc takes."""

    body: Body = field(default_factory=Body)
    kind: str = "unary"
    http: dict[str, str] = field(default_factory=dict)
    keyed: bool = False
    notes: list[str] = field(default_factory=list)
    query: dict[str, Part] = field(default_factory=dict)  # which fields were sent so
    path: dict[str, str] = field(default_factory=dict)  # which field each variable is


def request(schemas: Schemas, operation: Operation) -> Request:
    """What the operation takes.

    Raises:
        BadInput: a parameter isn't one.
    """
    made = Request()
    # First what the path names, as it is written there.
    parameters = sorted(_parameters(operation), key=lambda part: part.value.get("in") != "path")
    for parameter in parameters:
        _add_parameter(schemas, made, parameter, operation)
    for variable in _VARIABLE.findall(operation.path):
        if variable not in made.path:
            schemas.losses.tell(NO_FIELD, operation.item.at)
            made.path[variable] = made.body.add(variable, {"type": "string"}, operation.item.at)
    held = _add_body(schemas, made, operation)
    if made.kind == "unary":
        _transcode(schemas, made, operation, held)
    return made


def _parameters(operation: Operation) -> Iterator[Part]:
    """Those of the path and of the operation, which wins where both have one of a name and place."""
    found: dict[tuple[str, str], Part] = {}
    for holder in (operation.item, operation.part):
        for part in holder.items("parameters"):
            each = part.followed().mapping() if isinstance(part.value, dict) else part.mapping()
            name, where = each.text("name"), each.text("in")
            if not name:
                each.refuse("the key `name` is missing.")
            if where not in PLACES:
                what = wording.shown(where)
                each.doc.refuse((*each.at, "in"), f"{what} is no place of a parameter. Legal: {', '.join(PLACES)}.")
            found[(name, where)] = each
    yield from found.values()


def _add_parameter(schemas: Schemas, made: Request, part: Part, operation: Operation) -> None:
    name, where = part.text("name"), part.text("in")
    if where == "header" and name.lower() in _IGNORED_HEADERS:
        part.doc.whole.add(part.at)
        part.doc.opened.discard(part.at)
        schemas.losses.tell(IGNORED_HEADER, part.at)
        return
    required = part.flag("required") or where == "path"
    found = _type(schemas, part, f"{operation.rpc}{type_name(name)}")
    if found.nullable:
        schemas.losses.tell(NULLABLE, (*part.at, "schema"))
        found = replace(found, nullable=False)
    notes = [part.text("description"), *(["Deprecated."] if part.flag("deprecated") else [])]
    if where in {"header", "cookie"}:
        schemas.losses.tell(HEADER, part.at)
    keyed = where == "header" and words(name) in _IDEMPOTENCY_KEY and found.name == "string" and not found.label
    if keyed:
        schemas.losses.tell(KEYED, part.at)
        made.keyed = True
        schemas.made.add(made.body, "request_id", found, part.at, notes, required=True, in_json=False)
        return
    if required and found.label and where != "path":
        schemas.losses.tell(REQUIRED_LIST, (*part.at, "required"))
    # A path and a header have no JSON, and what has one of their names keeps it.
    given = schemas.made.add(
        made.body, name, found, part.at, notes, required=required and not found.label, in_json=where == "query"
    )
    if where == "path":
        made.path[name] = given
    elif where == "query":
        made.query[given] = part
    _read_style(schemas, part, found, where)


def _type(schemas: Schemas, part: Part, hint: str) -> Type:
    if (schema := part.part("schema")) is not None:
        return schemas.type(schema, hint)
    for media in part.parts("content").values():
        schemas.losses.tell(AS_JSON, (*part.at, "content"))
        inner = media.mapping().part("schema")
        if inner is not None:
            return schemas.type(inner, hint)
    return Type("string")


def _read_style(schemas: Schemas, part: Part, found: Type, where: str) -> None:
    style, exploded = part.text("style"), part.flag("explode", otherwise=True)
    usual = style in {"", _DEFAULT_STYLE[where]} and (exploded or not found.label)
    if not usual or (found.of == "message" and where == "query" and found.name[0].isupper()):
        for key in ("style", "explode"):
            if key in part:
                schemas.losses.tell(STYLE, (*part.at, key))
        if "style" not in part and "explode" not in part:
            schemas.losses.tell(STYLE, part.at)


def _add_body(schemas: Schemas, made: Request, operation: Operation) -> str:
    """Add the body; answers with what transcoding says of it: a field, * for all fields, or nothing."""
    given = operation.part.part("requestBody")
    if given is None:
        return ""
    holder = given.followed().mapping()
    description = holder.text("description")
    chosen = content(holder)
    if chosen is None:
        made.notes.append(description)
        return ""
    if chosen.kind in _OTHERWISE:
        schemas.losses.tell(_OTHERWISE[chosen.kind], chosen.place.at)
    if chosen.schema is None:
        return _add_bytes(schemas, made, chosen, description)
    files = chosen.kind == "multipart" and _has_files(chosen.schema)
    if files:
        schemas.losses.tell(CHUNKS, chosen.place.at)
    if files or chosen.kind == "stream":
        made.kind = "client-stream"
    if (schema := _own_fields(schemas, made, chosen.schema, operation)) is None:
        return _add_alone(schemas, made, chosen.schema, holder, operation)
    made.notes += [description, *schemas.notes_of(schema)]
    if not holder.flag("required") and "required" in holder:
        schemas.losses.tell(OPTIONAL_BODY, (*holder.at, "required"))
    spread(schemas, schema, chosen.schema, made.body, operation.rpc)
    return "*"


def _own_fields(schemas: Schemas, made: Request, part: Part, operation: Operation) -> Schema | None:
    """The body as an object whose fields can be the request's own; None if it has to stand in a field of its own."""
    schema = as_object(schemas, part)
    if schema is None or not is_envelope(part, operation.rpc):
        return None
    in_path = set(made.path.values())
    # All fields that the path doesn't name come from the body, so none may come from elsewhere.
    if set(made.body.fields) - in_path or {_key(name) for name in properties(schema)} & set(map(_key, in_path)):
        return None
    return schema


def _add_alone(schemas: Schemas, made: Request, part: Part, holder: Part, operation: Operation) -> str:
    """The body in a field; answers with its name."""
    name, found = field_for(schemas, part, f"{operation.rpc}Body")
    schemas.losses.tell(ALONE, part.at)
    required = holder.flag("required")
    if required and found.label:
        schemas.losses.tell(REQUIRED_LIST, (*holder.at, "required"))
    notes = (holder.text("description"),)
    must = required and not found.label
    return schemas.made.add(made.body, name, found, part.at, notes, required=must, in_json=False)


def _key(name: str) -> str:
    return "".join(words(name))


def _has_files(schema: Part) -> bool:
    target = schema.followed() if isinstance(schema.value, dict) else schema
    if not isinstance(target.value, dict):
        return False
    found = target.value.get("properties")
    parts = list(found.values()) if isinstance(found, dict) else []
    parts += [part["items"] for part in parts if isinstance(part, dict) and isinstance(part.get("items"), dict)]
    return any(isinstance(part, dict) and (part.get("format") == "binary" or "contentMediaType" in part)
               for part in parts)  # fmt: skip


def _add_bytes(schemas: Schemas, made: Request, chosen: Content, description: str) -> str:
    schemas.losses.tell(CHUNKS, chosen.place.at)
    made.kind = "client-stream"
    made.body.add("chunk", {"type": "bytes"}, chosen.place.at, (description, f"Of {chosen.place.name}."))
    return ""


def _transcode(schemas: Schemas, made: Request, operation: Operation, held: str) -> None:
    path = _VARIABLE.sub(lambda match: f"{{{made.path[match[1]]}}}", operation.path)
    *_, last = path.rsplit("/", 1)
    segments = [*path.split("/")[1:-1], *last.split(":", 1)]
    possible = operation.verb in HTTP_VERBS and not (operation.verb == "get" and held)
    whole = all(_SEGMENT.fullmatch(segment) for segment in segments if segment) and len(path) <= _LONGEST_PATH
    if not possible or not whole:
        schemas.losses.tell(NO_HTTP, operation.part.at)
        return
    made.http = {operation.verb: path, **({"body": held} if held else {})}
