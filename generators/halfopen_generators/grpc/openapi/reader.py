"""The whole of a document as a spec: its operations as rpcs, its schemas as messages and enums."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from halfopen.source import Location, Source
from halfopen_generators.grpc.imported import Imported
from halfopen_generators.grpc.openapi.document import Document, read_document
from halfopen_generators.grpc.openapi.losses import COMPONENTS, UNUSED, Losses, changed
from halfopen_generators.grpc.openapi.made import NULLABLE, Body, Made
from halfopen_generators.grpc.openapi.naming import Scope
from halfopen_generators.grpc.openapi.objects import finish
from halfopen_generators.grpc.openapi.pages import paginate
from halfopen_generators.grpc.openapi.requests import request
from halfopen_generators.grpc.openapi.responses import response
from halfopen_generators.grpc.openapi.rpc_names import Operation, operations
from halfopen_generators.grpc.openapi.schemas import DEPRECATED, Schemas

_MAX_SERVICES = 200
# What HTTP promises of a second call (RFC 9110, 9.2); of POST and PATCH it promises nothing.
_PROMISES = {"get": "no-side-effects", "head": "no-side-effects", "put": "idempotent", "delete": "idempotent"}

ALIAS = changed(
    "A schema that is no message and no enum has no name in Protobuf: it is written out wherever it is used.",
    "Nothing.",
)
BARE = "it describes no operation, no schema and no webhook: there is nothing to take over."


@dataclass
class Reader:
    """Reads one document."""

    doc: Document
    losses: Losses = field(init=False)
    scope: Scope = field(default_factory=Scope)
    made: Made = field(init=False)
    schemas: Schemas = field(init=False)
    services: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.losses = Losses(self.doc)
        self.made = Made(self.losses)
        self.schemas = Schemas(self.doc, self.losses, self.scope, self.made)

    def read(self) -> Imported:
        """All of it.

        Raises:
            BadInput: something in it isn't what OpenAPI has there.
        """
        found = operations(self.doc, self.losses, self.scope)
        for operation in found:
            self._rpc(operation)
        self._components()
        self.made.untangled()
        self._tags(found)
        if len(self.services) > _MAX_SERVICES:
            self.doc.refuse(("paths",), f"becomes more than {_MAX_SERVICES} services. Take a part of the API.")
        if not self.services and not self.made.messages and not self.made.enums:
            self.doc.refuse((), BARE)
        unsaid = tuple(self.losses.findings())
        return Imported(
            given=self.doc.source.file or "",
            data={
                "services": self.services,
                "messages": {name: body.data for name, body in self.made.messages.items()},
                "enums": self.made.enums,
                "comments": self.made.comments,
            },
            unsaid=unsaid,
            places={place: self.doc.evidence(at) for place, at in self.made.places.items()},
        )

    def _rpc(self, operation: Operation) -> None:
        part, rpc = operation.part, operation.rpc
        about = [part.text("summary"), part.text("description")]
        if part.flag("deprecated"):
            about.append("Deprecated.")
            self.losses.tell(DEPRECATED, (*part.at, "deprecated"))
        taken, given = request(self.schemas, operation), response(self.schemas, operation)
        paged = operation.verb == "get" and not given.streams and paginate(self.losses, taken, given.body)
        kind = taken.kind if taken.kind != "unary" or not given.streams else "server-stream"
        said: dict[str, Any] = {"kind": "bidi" if kind == "client-stream" and given.streams else kind}
        said |= {"request": taken.body.data, "response": given.body.data}
        promise = "idempotent" if taken.keyed else _PROMISES.get(operation.verb)
        said |= {"idempotency": promise} if promise else {}
        said |= {"errors": given.errors} if given.errors is not None else {}
        said |= {"paginated": True} if paged else {}
        if taken.http:
            # Over HTTP the answer stays what it was, without the field's name around it.
            told = {"response_body": given.held} if given.held in given.body.data and not given.streams else {}
            said["http"] = {**taken.http, **told}
        if said["kind"] == "unary":
            del said["kind"]
        self.services.setdefault(operation.service, {})[rpc] = said
        self.made.places[("services", operation.service, rpc)] = part.at
        self.made.comment(f"{operation.service}.{rpc}", *about, *taken.notes, *given.notes)
        for side, body in (("request", taken.body), ("response", given.body)):
            self._keep(operation, side, body)

    def _keep(self, operation: Operation, side: str, body: Body) -> None:
        place = (operation.service, operation.rpc, side)
        for name, text in body.comments.items():
            self.made.comment(".".join((*place, name)), text)
        for name, at in body.places.items():
            self.made.places[("services", *place, name)] = at

    def _components(self) -> None:
        """What no operation uses as well: it was described, so somebody may need it."""
        finish(self.schemas)
        components = self.doc.root.part("components")
        if components is None:
            return
        for key in components.mapping().value:
            if key in COMPONENTS:
                components.parts(key)
        aliases: list[Location] = []
        for part in components.parts("schemas").values():
            if part.at in self.schemas.spread and part.at not in self.schemas.known:
                continue
            kind = self.schemas.looked_at(part)
            finish(self.schemas)
            if kind.nullable:
                self.losses.tell(NULLABLE, part.at)
            key = "enums" if kind.of == "enum" else "messages"
            if self.made.places.get((key, kind.name)) != part.at or kind.label:
                aliases.append(part.at)
        for at in aliases:
            self.losses.tell(ALIAS if self.schemas.is_used(at) else UNUSED, at)

    def _tags(self, found: list[Operation]) -> None:
        """What the document says of its tags, where they became services."""
        services: dict[str, str] = {}
        for operation in found:
            listed = operation.part.value.get("tags")
            if isinstance(listed, list) and listed and isinstance(listed[0], str):
                services.setdefault(listed[0], operation.service)
        for tag in self.doc.root.items("tags"):
            service = services.get(str(tag.value.get("name"))) if isinstance(tag.value, dict) else None
            if service is not None and service not in self.made.comments:
                tag.mapping().text("name")
                self.made.comment(service, tag.text("description"))


def read_openapi(given: str, package: str, source: Source) -> Imported:
    """The document of that name, in the words of a spec.

    Args:
        given: A file of the caller's, YAML or JSON.
        package: The package that it becomes.
        source: The spec, which knows the caller's folders.

    Raises:
        BadInput: it can't be read, is no OpenAPI 3.0 or 3.1, refers to what isn't in it, or holds too much.
    """
    del package  # no name in the document depends on it
    return Reader(read_document(given, source)).read()
