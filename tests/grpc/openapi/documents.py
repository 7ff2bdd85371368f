"""OpenAPI documents for tests: written short, and as a hypothesis strategy that uses most of the language."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from halfopen.source import Source
from halfopen.vocabulary import Finding, Report
from halfopen_generators.grpc.imported import Imported
from halfopen_generators.grpc.openapi import read_openapi
from tests.grpc.designs import answered

NAME = "api.json"
SPEC: dict[str, Any] = {"package": "acme.shop.v1", "from_openapi": NAME}


def document(paths: dict[str, Any] | None = None, *, version: str = "3.1.0", **components: Any) -> dict[str, Any]:
    """A document with those paths and components."""
    found: dict[str, Any] = {"openapi": version, "info": {"title": "Shop", "version": "1"}, "paths": paths or {}}
    return {**found, "components": components} if components else found


def imported(found: dict[str, Any] | str, folder: Path) -> Imported:
    """What is made of the document."""
    (folder / NAME).write_text(found if isinstance(found, str) else json.dumps(found, indent=1))
    return read_openapi(NAME, "acme.shop.v1", Source(SPEC, folders=(folder.resolve(),)))


def answer(found: dict[str, Any], folder: Path, **more: Any) -> Report:
    """What the capability answers to a spec that is the document and no more."""
    (folder / NAME).write_text(json.dumps(found, indent=1))
    return answered({**SPEC, **more}, folder)


def told(found: Imported, words: str) -> list[str]:
    """The places of the one finding whose message holds the words."""
    (only,) = [finding for finding in found.unsaid if words in finding.message]
    return [each.path for each in only.evidence]


def schema_made(schema: Any, folder: Path, *, version: str = "3.1.0", **more: Any) -> tuple[Any, Imported]:
    """What the property `it` of a message becomes, with that schema."""
    thing = {"type": "object", "required": ["it"], "properties": {"it": schema}}
    found = imported(document(version=version, schemas={"Thing": thing, **more}), folder)
    return found.data["messages"]["Thing"]["it"], found


def leaves(value: Any, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The places of all values that hold no others."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    entries = list(inner)
    for key, each in entries:
        yield from leaves(each, (*at, key))
    if not entries:
        yield at


def places(findings: tuple[Finding, ...]) -> Iterator[tuple[str, str]]:
    """Each place that a finding names, with its message."""
    return ((each.path, finding.message) for finding in findings for each in finding.evidence)


# Words that are names in Protobuf, in a language, twice, or not at all.
NAMES = ["id", "order", "Order", "order_id", "orderId", "from", "class", "oneof", "2fa", "X-Rate", "größe", "a b", "ok",
         "kind", "limit", "cursor", "items", "next_cursor"]  # fmt: skip
SCHEMAS = ["Order", "order_line", "Pet", "CreateOrderRequest", "OrderService", "None", "Status"]
# So that there is something to take over in every document.
THING: dict[str, Any] = {"type": "object", "properties": {"name": {"type": "string"}}}
names = st.sampled_from(NAMES)
# Each text is another one, so that none stands for one that vanished.
texts = st.one_of(
    st.just(""),
    st.integers(0, 10**9).flatmap(
        lambda number: st.sampled_from(
            [f"Said {number}.", f"Two\nlines {number}", f'A "quoted" \\ {number}', f"ünï {number}"]
        )
    ),
)
PATHS = ["/orders", "/orders/{id}", "/orders/{id}/cancel", "/login", "/v1/pets:sort"]
references = st.sampled_from([{"$ref": f"#/components/schemas/{name}"} for name in SCHEMAS])


def _some(always: dict[str, Any], /, **optional: Any) -> Any:
    return st.fixed_dictionaries({key: st.just(value) if not hasattr(value, "example") else value
                                  for key, value in always.items()}, optional=optional)  # fmt: skip


_notes = {
    "title": texts, "description": texts, "deprecated": st.booleans(), "readOnly": st.booleans(),
    "example": st.just("x"), "x-own": st.just({"a": 1}),
}  # fmt: skip
_counts = st.integers(1, 4)


def scalars(minor: int) -> Any:
    """Schemas of values that are one thing."""
    exclusive = st.booleans() if minor == 0 else st.integers(-3, 3)
    null = {"nullable": st.booleans()} if minor == 0 else {}
    bounds = {"minimum": st.integers(-3, 3), "maximum": st.integers(-3, 3), "exclusiveMinimum": exclusive,
              "multipleOf": st.just(2)}  # fmt: skip
    return st.one_of(
        _some({"type": "string"}, minLength=_counts, maxLength=_counts,
              pattern=st.sampled_from(["^a+$", "(?=a)b", r"\d{2}"]),
              format=st.sampled_from(["date-time", "date", "uuid", "email", "byte", "duration", "own", "password"]),
              default=st.just("a"), **null, **_notes),
        _some({"type": "integer"}, format=st.sampled_from(["int32", "own"]), default=st.just(1),
              **bounds, **null, **_notes),
        _some({"type": "number"}, format=st.sampled_from(["float", "decimal"]), **bounds, **null, **_notes),
        _some({"type": "boolean"}, default=st.booleans(), **null, **_notes),
        _some({"type": "string", "enum": st.lists(st.sampled_from(["a", "A", "in-progress", "", "+1", "-1", "ok"]),
                                                  min_size=1, unique=True)}, **null, **_notes),
        _some({"type": "integer", "enum": st.lists(st.integers(-1, 4), min_size=1, unique=True)}, **_notes),
        *([_some({"const": st.sampled_from(["a", 1, True])}, **_notes),
           _some({"type": st.sampled_from([["string", "null"], ["integer", "string"], ["null"]])}, **_notes)]
          if minor else []),
    )  # fmt: skip


def schemas(minor: int) -> Any:
    """Any schemas."""
    leaf = st.one_of(scalars(minor), references, st.just({}), *([st.booleans()] if minor else []))

    def around(inner: Any) -> Any:
        properties = st.dictionaries(names, inner, max_size=3)
        objects = _some(
            {"type": "object", "properties": properties}, required=st.lists(names, max_size=2, unique=True),
            additionalProperties=st.one_of(st.booleans(), inner), minProperties=_counts, **_notes,
        )  # fmt: skip
        several = st.lists(inner, min_size=1, max_size=3)
        return st.one_of(
            objects,
            _some({"type": "array", "items": inner}, minItems=_counts, uniqueItems=st.booleans(), **_notes),
            _some({"type": "object", "additionalProperties": inner}, maxProperties=_counts, **_notes),
            _some({"allOf": several}, **_notes),
            _some({"oneOf": several}, discriminator=st.just({"propertyName": "kind"}), **_notes),
            _some({"anyOf": several}, properties=properties),
        )

    return st.recursive(leaf, around, max_leaves=5)


@st.composite
def parameters(draw: st.DrawFn, minor: int, path: str) -> list[dict[str, Any]]:
    """Parameters of an operation, each once."""
    found = (
        {("id", "path"): {"name": "id", "in": "path", "required": True, "schema": draw(scalars(minor))}}
        if "{" in path
        else {}
    )
    for name, where in draw(st.lists(st.tuples(names, st.sampled_from(["query", "header", "cookie"])), max_size=3)):
        found[(name, where)] = draw(
            _some({"name": name, "in": where, "schema": schemas(minor)}, required=st.booleans(), description=texts,
                  style=st.sampled_from(["form", "simple", "deepObject"]), explode=st.booleans(), example=st.just(1))
        )  # fmt: skip
    return list(found.values())


def bodies(minor: int) -> Any:
    """The media types of a body."""
    media = _some({"schema": schemas(minor)}, example=st.just({"a": 1}))
    kinds = st.sampled_from(["application/json", "application/xml", "text/plain", "image/png", "text/event-stream",
                             "multipart/form-data", "application/x-www-form-urlencoded"])  # fmt: skip
    return st.dictionaries(kinds, media, max_size=2)


def operations(minor: int, path: str) -> Any:
    """Operations at that path."""
    answers = _some({"description": texts}, content=bodies(minor), headers=st.just({"X-Rate": {"schema": {}}}),
                    links=st.just({"next": {"operationId": "a"}}))  # fmt: skip
    codes = st.sampled_from(["200", "201", "204", "400", "404", "409", "418", "4XX", "default"])
    return _some(
        {"responses": st.dictionaries(codes, answers, min_size=1, max_size=3)},
        operationId=st.sampled_from(["fetchOrders", "makeOrder", "order.get", "a", "A"]),
        parameters=parameters(minor, path), summary=texts, description=texts, deprecated=st.booleans(),
        tags=st.lists(st.sampled_from(["shop", "store"]), max_size=2, unique=True),
        requestBody=_some({"content": bodies(minor)}, required=st.booleans(), description=texts),
        security=st.just([{"key": []}]), callbacks=st.just({"done": {"{$url}": {}}}),
    )  # fmt: skip


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """A document in which every reference leads somewhere."""
    minor = draw(st.sampled_from([0, 1]))
    paths = {}
    for path in draw(st.lists(st.sampled_from(PATHS),
                              max_size=3, unique=True)):  # fmt: skip
        verbs = draw(st.lists(st.sampled_from(["get", "put", "post", "delete", "patch", "head", "trace"]), max_size=2))
        paths[path] = {verb: draw(operations(minor, path)) for verb in verbs}
    found = document(
        paths, version=f"3.{minor}.0", schemas={"Thing": THING, **{name: draw(schemas(minor)) for name in SCHEMAS}}
    )
    found["info"]["description"] = draw(texts)
    if draw(st.booleans()):
        found["servers"] = [{"url": "https://example.com"}]
        found["tags"] = [{"name": "shop", "description": draw(texts.filter(bool))}]
    return found
