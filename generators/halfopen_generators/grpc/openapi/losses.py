"""What an OpenAPI document says and gRPC can't, or says otherwise: gathered by kind, each kind one finding."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from halfopen.source import Location
from halfopen.vocabulary import Certainty, Finding, Severity
from halfopen_generators.grpc.codes import finding
from halfopen_generators.grpc.openapi.document import Document

# What a document may define under names of its own.
COMPONENTS = frozenset({
    "schemas", "responses", "parameters", "examples", "requestBodies", "headers", "securitySchemes", "links",
    "callbacks", "pathItems",
})  # fmt: skip


@dataclass(frozen=True)
class Loss:
    """One kind of loss: what happens to it, and what to do."""

    message: str
    fix: str
    severity: Severity = Severity.WARNING
    certainty: Certainty = Certainty.PROVEN


def changed(message: str, fix: str) -> Loss:
    """Something that is said, but otherwise than in the document."""
    return Loss(message, fix, Severity.INFO)


def guessed(message: str, fix: str) -> Loss:
    """Something that was taken to mean what it usually means."""
    return Loss(message, fix, Severity.INFO, Certainty.HEURISTIC)


_SHOWN = changed("Examples aren't carried over.", "Put them into tests of the clients that are generated.")
_PROSE = changed(
    "What the document says of itself and of other pages isn't carried over.",
    "Say it where your callers read, such as in `comments` or the README of the package.",
)
_AUTH = Loss(
    "Who may call isn't carried over: gRPC has no words for it, and sends credentials as metadata.",
    "Check them in an interceptor of the server: a bearer token or key in the metadata `authorization`, or mutual TLS.",
)
_WHERE = Loss(
    "Where the API is served isn't carried over: an address is no part of a Protobuf package.",
    "Give clients their target, such as dns:///orders.internal:443, in their configuration.",
)
_CALLED = Loss(
    "The calls back to whoever called, and webhooks, aren't carried over: a gRPC server can't call its client.",
    "Describe them as a service that the other side offers, let the client open a stream (`kind: server-stream`), or "
    "publish events over a broker.",
)
_SUBTYPES = Loss(
    "What a discriminator says isn't carried over where no oneOf of its types stands beside it: Protobuf knows no "
    "inheritance, so what holds such a type holds its own fields alone.",
    "Write a oneOf of the types in the document, or a message with `oneof` in the spec.",
)
_RULE = Loss(
    "A rule of the schema isn't carried over: protovalidate has none of the kind.",
    "Check it in the server, or write it as a rule in CEL: https://protovalidate.com/schemas/custom-rules/.",
)
_BY_KEY = {
    **dict.fromkeys(("example", "examples"), _SHOWN),
    **dict.fromkeys(("info", "externalDocs", "jsonSchemaDialect", "title", "description", "summary", "contact",
                     "license", "termsOfService", "$comment", "$schema", "$id"), _PROSE),
    **dict.fromkeys(("security", "securitySchemes"), _AUTH),
    "servers": _WHERE,
    **dict.fromkeys(("callbacks", "webhooks"), _CALLED),
    "links": Loss(
        "Links, which say where to go from an answer, aren't carried over.",
        "Say it in the comment of the rpc: which field of its response is the id that the next call takes.",
    ),
    "headers": Loss(
        "Headers of an answer aren't carried over: in gRPC they are metadata, which no .proto file describes.",
        "Put what callers need into the response message; send the rest as metadata, and say so in the rpc's comment.",
    ),
    "xml": Loss(
        "How a value is written in XML isn't carried over: gRPC speaks Protobuf, and JSON by transcoding.",
        "Keep the old endpoint for callers who need XML.",
    ),
    "discriminator": _SUBTYPES,
    **dict.fromkeys(("multipleOf", "not", "if", "then", "else", "dependentRequired", "dependentSchemas", "contains",
                     "minContains", "maxContains", "patternProperties", "propertyNames", "unevaluatedProperties",
                     "unevaluatedItems", "prefixItems", "contentSchema", "contentMediaType", "contentEncoding",
                     "minLength", "maxLength", "pattern", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum",
                     "minItems", "maxItems", "uniqueItems", "minProperties", "maxProperties", "required",
                     "enum", "const", "oneOf", "anyOf"), _RULE),
    "format": Loss(
        "A format that neither Protobuf nor protovalidate knows isn't carried over.",
        "Say it in the field's comment, and check it in the server.",
    ),
    "default": Loss(
        "A default isn't carried over: Protobuf has none, and a field that isn't set reads as zero.",
        "Apply it in the server, and say it in the field's comment.",
    ),
    **dict.fromkeys(("readOnly", "writeOnly"), Loss(
        "That a value is only sent one way isn't carried over.",
        "Say it in the field's comment, and ignore in the server what callers may not set.",
    )),
    "deprecated": Loss(
        "That it is deprecated isn't carried over.", "Say it in `comments`, and leave it out with `remove` in time."
    ),
    **dict.fromkeys(("options", "trace"), Loss(
        "OPTIONS and TRACE aren't carried over: they are about HTTP itself.", "Nothing, if nobody calls them."
    )),
    "encoding": Loss(
        "How a part of a form is encoded isn't carried over: a message has one encoding.",
        "Put what callers need into fields, such as `content_type: string`.",
    ),
    **dict.fromkeys(("allowReserved", "allowEmptyValue", "style", "explode"), changed(
        "How a parameter is spelled in a URL isn't carried over: a field has one encoding.",
        "Nothing for callers of gRPC; with transcoding, a list is sent as ?a=1&a=2.",
    )),
    "content": changed(
        "Another media type of the same body isn't carried over: an rpc has one request and one response.",
        "Add an rpc for it in the spec if callers need it: one that streams, for events.",
    ),
    "schema": changed(
        "The schema of what is sent as bytes isn't carried over.", "Check in the server what the bytes may be."
    ),
    "tags": changed(
        "A tag that is no service isn't carried over: an rpc stands in one service, that of its first tag.",
        "Move it under `services` if another one is meant.",
    ),
}  # fmt: skip
_EXTENSION = changed(
    "What tools outside of OpenAPI read (x-...) isn't carried over.", "Look whether anything depends on it."
)
UNUSED = changed(
    "What is defined, and used by nothing that becomes an rpc or a message, isn't carried over.",
    "Nothing, if nobody needs it.",
)


@dataclass
class Losses:
    """Gathers what is lost: each kind once, with all its places."""

    doc: Document
    kinds: dict[Loss, dict[Location, None]] = field(default_factory=dict)

    def tell(self, loss: Loss, location: Location) -> None:
        """That kind of loss occurs at that place."""
        self.kinds.setdefault(loss, {})[location] = None

    def findings(self) -> Iterator[Finding]:
        """One finding for each kind, those last that nobody read."""
        for location in self.doc.unread():
            self.tell(_loss_of(location), location)
        for loss, places in self.kinds.items():
            evidence = tuple(self.doc.evidence(place) for place in places)
            yield finding("PRT13", loss.message, loss.fix, *evidence, severity=loss.severity, certainty=loss.certainty)


def _loss_of(location: Location) -> Loss:
    key = str(location[-1])
    if len(location) == 3 and location[0] == "components" and location[1] in COMPONENTS:  # noqa: PLR2004
        return _BY_KEY.get(str(location[1]), UNUSED) if location[1] in {"securitySchemes", "examples"} else UNUSED
    if key.startswith("x-"):
        return _EXTENSION
    inner = [str(part) for part in location if isinstance(part, str)]
    for part in (inner[-1], *inner[-2:-1]):
        if part in _BY_KEY:
            return _BY_KEY[part]
    return Loss(
        f"`{key[:60]}` isn't carried over: it is unknown to OpenAPI at this place, or has no meaning there.",
        "Look whether it is spelled right; say in the spec what it was to say.",
    )
