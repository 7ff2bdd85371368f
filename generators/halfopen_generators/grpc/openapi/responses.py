"""What an operation answers with: the fields of one response, whether it streams, and how it fails."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from halfopen import wording
from halfopen_generators.grpc.openapi.bodies import (
    ALONE,
    CHUNKS,
    XML,
    as_object,
    content,
    field_for,
    is_envelope,
    lists_one,
    spread,
)  # fmt: skip
from halfopen_generators.grpc.openapi.document import Part
from halfopen_generators.grpc.openapi.facets import Schema
from halfopen_generators.grpc.openapi.losses import Loss, changed
from halfopen_generators.grpc.openapi.made import Body
from halfopen_generators.grpc.openapi.naming import type_name
from halfopen_generators.grpc.openapi.objects import properties
from halfopen_generators.grpc.openapi.rpc_names import Operation
from halfopen_generators.grpc.openapi.schemas import Schemas
from halfopen_generators.grpc.policy import policy

_CODE = re.compile(r"[1-5](\d\d|XX)", re.IGNORECASE)
# As google.rpc.Code and its mapping to HTTP have it, turned around.
STATUSES: Mapping[str, str] = {
    "400": "INVALID_ARGUMENT", "401": "UNAUTHENTICATED", "403": "PERMISSION_DENIED", "404": "NOT_FOUND",
    "408": "DEADLINE_EXCEEDED", "409": "ABORTED", "410": "NOT_FOUND", "412": "FAILED_PRECONDITION",
    "413": "RESOURCE_EXHAUSTED", "416": "OUT_OF_RANGE", "422": "INVALID_ARGUMENT", "423": "FAILED_PRECONDITION",
    "424": "FAILED_PRECONDITION", "428": "FAILED_PRECONDITION", "429": "RESOURCE_EXHAUSTED", "499": "CANCELLED",
    "500": "INTERNAL", "501": "UNIMPLEMENTED", "502": "UNAVAILABLE", "503": "UNAVAILABLE", "504": "DEADLINE_EXCEEDED",
    "507": "RESOURCE_EXHAUSTED",
}  # fmt: skip
_EXISTS = "ALREADY_EXISTS"  # 409 of what makes something
_NOTHING_SAID = frozenset({"ok", "success", "successful operation", "successful response", "no content"})
# The field for what has no schema.
_ALONE = {"bytes": ("chunk", "bytes"), "text": ("text", "string"), "stream": ("data", "string")}

NO_STATUS = Loss(
    "An answer that no status of gRPC stands for isn't carried over: a range of codes, a redirect, or one that is "
    "about HTTP itself.",
    "Say under `errors` which statuses callers have to expect.",
)
ANY_ERROR = changed(
    "A default stands for any error; an rpc may fail with any status anyway, so none is named for it.",
    "Say under `errors` which statuses callers have to handle.",
)
ERROR_BODY = changed(
    "The body of an error isn't carried over: gRPC fails with a status, a text, and details of google.rpc "
    "(BadRequest, ErrorInfo ...).",
    "Put what callers need into such a detail; a message of the package can be one too.",
)
SUCCESSES = changed(
    "Which of several codes for success came back can't be told: gRPC has OK alone.",
    "Say it in a field of the response if it matters, such as `created: bool`.",
)
EITHER = changed(
    "Answers that differ by code are a oneof of the response, whose members are named after the codes.",
    "Give each of them an rpc of its own if callers know beforehand which one they want.",
)


@dataclass
class Response:
    """What an rpc answers with. `errors` is None if the document names none that a status stands for.

    `held` is the field that holds all of the body, where there is one.
    """

    body: Body = field(default_factory=Body)
    held: str | None = None
    streams: bool = False
    errors: list[str] | None = None
    notes: list[str] = field(default_factory=list)


def response(schemas: Schemas, operation: Operation) -> Response:
    """What the operation answers with.

    Raises:
        BadInput: its responses aren't what responses are.
    """
    made = Response()
    found = {code: part for code, part in operation.part.parts("responses").items() if not code.startswith("x-")}
    answers: dict[str, Part] = {}
    successes = [code for code in found if code.startswith("2")]
    for code, part in found.items():
        if code != "default" and not _CODE.fullmatch(code):
            part.refuse(f"{wording.shown(code)} is no code of HTTP, no range such as 4XX, and not default.")
        each = part.followed().mapping()
        if code in successes or (code == "default" and not successes):
            answers[code] = each
        else:
            _add_error(schemas, made, operation, code, each)
    _add_answers(schemas, made, operation, answers)
    return made


def _add_error(schemas: Schemas, made: Response, operation: Operation, code: str, part: Part) -> None:
    if "content" in part:
        part.doc.whole.add((*part.at, "content"))
        schemas.losses.tell(ERROR_BODY, (*part.at, "content"))
    said = part.text("description")
    status = STATUSES.get(code)
    if code == "409" and policy().is_("create", operation.rpc):
        status = _EXISTS
    if code == "default":
        schemas.losses.tell(ANY_ERROR, (*operation.part.at, "responses", code))
        made.notes.append(f"Any other error: {said}" if said else "")
        return
    if status is None:
        schemas.losses.tell(NO_STATUS, (*operation.part.at, "responses", code))
        made.notes.append(f"HTTP {code.upper()}: {said}" if said else "")
        return
    made.errors = [*(made.errors or []), *([] if status in (made.errors or []) else [status])]
    if said and not _is_phrase(code, said):
        made.notes.append(f"{status}: {said}")


def _is_phrase(code: str, said: str) -> bool:
    try:
        phrase = HTTPStatus(int(code)).phrase.lower()
    except ValueError:
        phrase = ""
    return said.strip().rstrip(".").lower() in {phrase, *_NOTHING_SAID}


def _add_answers(schemas: Schemas, made: Response, operation: Operation, answers: dict[str, Part]) -> None:
    holding: dict[str, Part] = {}
    for code, part in answers.items():
        said = part.text("description")
        if said and not _is_phrase(code, said):
            made.notes.append(
                f"Answers with {said[:1].lower()}{said[1:]}" if len(answers) == 1 else f"HTTP {code}: {said}"
            )
        if part.value.get("content"):
            holding[code] = part
    if len(answers) > 1:
        schemas.losses.tell(SUCCESSES, (*operation.part.at, "responses"))
    different: dict[str, Part] = {}
    for code, part in holding.items():
        if not any(part.value["content"] == other.value["content"] for other in different.values()):
            different[code] = part
        else:
            part.doc.whole.add((*part.at, "content"))
    if len(different) > 1:
        _add_either(schemas, made, operation, different)
        return
    for part in different.values():
        _add_answer(schemas, made, operation, part)


def _add_answer(schemas: Schemas, made: Response, operation: Operation, part: Part) -> None:
    chosen = content(part)
    if chosen is None:
        return
    if chosen.schema is None and chosen.kind in _ALONE:
        made.streams = chosen.kind != "text"
        if chosen.kind == "bytes":
            schemas.losses.tell(CHUNKS, chosen.place.at)
        name, kind = _ALONE[chosen.kind]
        made.body.add(name, {"type": kind}, chosen.place.at, (f"Of {chosen.place.name}.",))
        return
    if chosen.schema is None:
        return
    if chosen.kind == "xml":
        schemas.losses.tell(XML, chosen.place.at)
    made.streams = chosen.kind == "stream"
    schema = as_object(schemas, chosen.schema)
    if schema is not None and (
        is_envelope(chosen.schema, operation.rpc)
        or (policy().is_("list", operation.rpc) and lists_one(schema) and _no_id(schema))
    ):
        made.notes.extend(schemas.notes_of(schema))
        spread(schemas, schema, chosen.schema, made.body, operation.rpc)
        return
    made.held = _add_field(schemas, made.body, chosen.schema, operation.rpc)


def _no_id(schema: Schema) -> bool:
    """Whether it has no name of its own, as a thing has and a page of things hasn't."""
    return not set(properties(schema)) & {"id", "uuid", "name", "key"}


def _add_field(schemas: Schemas, body: Body, part: Part, hint: str) -> str:
    """Add the answer as a field; its name."""
    name, found = field_for(schemas, part, f"{hint}Result")
    schemas.losses.tell(ALONE, part.at)
    # An answer is always there, so nothing needs to tell it from one that isn't.
    said = schemas.made.field(found, part.at, required=found.of == "scalar")
    body.add(name, said, part.at, found.notes)
    return name


def _add_either(schemas: Schemas, made: Response, operation: Operation, answers: dict[str, Part]) -> None:
    schemas.losses.tell(EITHER, (*operation.part.at, "responses"))
    group = made.body.group("result")
    for code, part in answers.items():
        chosen = content(part)
        if chosen is None or chosen.schema is None:
            kind = "bytes" if chosen is not None and chosen.kind == "bytes" else "string"
            made.body.add(_named(code), {"type": kind}, part.at, group=group)
            continue
        if chosen.kind == "stream":
            made.streams = True
        hint = f"{operation.rpc}{type_name(_named(code))}"
        found = schemas.alone(schemas.type(chosen.schema, hint), chosen.schema, f"{hint}List")
        said = schemas.made.field(found, chosen.schema.at, required=False, member=True)
        made.body.add(_named(code), said, chosen.schema.at, found.notes, group=group)


def _named(code: str) -> str:
    try:
        return HTTPStatus(int(code)).name.lower()
    except ValueError:
        return f"status_{code.lower()}"
