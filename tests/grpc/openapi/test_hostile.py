"""A document that can't be used is refused at its place, and one that means harm costs nothing."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from halfopen.source import BadInput, Source
from halfopen_generators.grpc.openapi import read_openapi
from tests.grpc.designs import answered
from tests.grpc.openapi.documents import SPEC, document, documents, imported, leaves


def refused(found: dict[str, Any] | str, folder: Path) -> str:
    with pytest.raises(BadInput) as caught:
        imported(found, folder)
    (only,) = caught.value.problems
    return str(only)


def schemas(**named: Any) -> dict[str, Any]:
    return document(schemas={"Thing": {"type": "object", "properties": {"a": {"type": "string"}}}, **named})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("swagger: '2.0'\n", 'api.json:1: #/swagger: "2.0": only OpenAPI 3.0 and 3.1 can be taken over. Convert it'),
        ("a: 1\n", "api.json:1: #: the key `openapi` is missing; it has to be 3.0 or 3.1"),
        ("openapi: 4.0.0\n", 'api.json:1: #/openapi: "4.0.0" isn\'t known'),
        ("openapi: [3]\n", "#/openapi: [3] isn't known"),
        ("openapi: 3.1.0\n", "it describes no operation"),
        ("openapi: 3.1.0\npaths: 3\n", "api.json:2: #/paths: 3 is a number; it has to be a mapping of keys."),
        ("openapi: 3.1.0\npaths: {a: {}}\n", "#/paths/a: 'a' is no path: it begins with a slash."),
        ("openapi: 3.1.0\npaths: {/a: {get: 1}}\n", "#/paths/~1a/get: 1 is a number"),
        ("openapi: 3.1.0\npaths: {/a: {get: {responses: {ok: {}}}}}\n", '"ok" is no code of HTTP'),
        ("openapi: 3.1.0\ncomponents: {schemas: []}\n", "#/components/schemas: [] is a list"),
        ("- a\n", "is a list"),
        ("", "is empty"),
        ("a: &a [*a]\n", "stands inside its own anchor"),
        ("openapi: !!python/object:os.system 3\n", "the tag !!python/object:os.system is refused"),
    ],
)
def test_what_is_no_document_is_told(text: str, message: str, tmp_path: Path) -> None:
    assert message in refused(text, tmp_path)


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({"$ref": "https://example.com/a.json"}, "leads out of the document, and nothing is fetched or opened"),
        ({"$ref": "file:///etc/passwd"}, "leads out of the document"),
        ({"$ref": "/etc/passwd"}, "leads out of the document"),
        ({"$ref": "other.yaml#/a"}, "leads out of the document"),
        ({"$ref": "#anchor"}, "is no JSON pointer"),
        ({"$ref": "#/components/schemas/Thin"}, "leads nowhere: there is no 'Thin'. Did you mean Thing?"),
        ({"$ref": "#/components/schemas/Thing/properties/a/type/0"}, "leads nowhere"),
        ({"$ref": "#/components/schemas/Bad"}, "leads back to itself, and so to nothing."),
        ({"type": "strin"}, '/type: "strin" is no type. Legal: string, integer,'),
        ({"type": 3}, "/type: 3 is a number; it has to be text."),
        ({"type": "string", "minLength": -1}, "/minLength: -1 is a number; it has to be a whole number, not below 0."),
        ({"type": "string", "pattern": []}, "/pattern: [] is a list; it has to be text."),
        ({"type": "integer", "minimum": "1"}, '/minimum: "1" is text; it has to be a number.'),
        ({"type": "number", "maximum": 10**400}, "; it has to be one that a double can hold."),
        ({"type": "string", "enum": "a"}, '/enum: "a" is text; it has to be a list.'),
        ({"oneOf": {}}, "/oneOf: {} is a mapping; it has to be a list."),
        ({"properties": []}, "/properties: [] is a list; it has to be a mapping of keys."),
        ({"type": "object", "properties": {"a": 3}}, "/properties/a: 3 is a number; it has to be a mapping of keys."),
        ("string", 'Bad: "string" is text; it has to be a mapping of keys.'),
        ({"description": 3}, "/description: 3 is a number; it has to be text."),
    ],
)
def test_a_schema_that_is_none_is_told(schema: Any, message: str, tmp_path: Path) -> None:
    told = refused(schemas(Bad=schema), tmp_path)
    assert told.startswith("api.json:")
    assert "#/components/schemas/Bad" in told
    assert message in told


def test_a_reference_to_what_is_no_schema_is_told(tmp_path: Path) -> None:
    told = refused(schemas(Bad={"$ref": "#/openapi"}), tmp_path)
    assert told == 'api.json:2: #/openapi: "3.1.0" is text; it has to be a mapping of keys.'


def test_what_goes_on_for_ever_ends(tmp_path: Path) -> None:
    chain = {f"A{n}": {"type": "array", "items": {"$ref": f"#/components/schemas/A{n + 1}"}} for n in range(200)}
    assert "nested deeper than 60 levels" in refused(schemas(**chain, A200={"type": "string"}), tmp_path)
    doubling = {f"B{n}": {"allOf": [{"$ref": f"#/components/schemas/B{n + 1}"}] * 2} for n in range(25)}
    found = imported(schemas(**doubling, B25={"type": "object", "properties": {"a": {"type": "string"}}}), tmp_path)
    assert found.data["messages"]["B0"] == {"a": "optional string"}
    circle = {
        "C": {"allOf": [{"$ref": "#/components/schemas/D"}]},
        "D": {"allOf": [{"$ref": "#/components/schemas/C"}, {}]},
    }
    assert imported(schemas(**circle), tmp_path).data["messages"].keys() == {"Thing"}


def test_ten_thousand_schemas_are_read_or_refused(tmp_path: Path) -> None:
    many = {
        f"S{n}": {"type": "object", "properties": {"a": {"$ref": f"#/components/schemas/S{n + 1}"}}}
        for n in range(10_000)
    }
    told = refused(document(schemas={**many, "S10000": {"type": "string"}}), tmp_path)
    assert "becomes one message too many: there can be 5,000. Take a part of the API." in told
    aliases = {f"S{n}": {"type": "string"} for n in range(10_000)}
    assert list(imported(schemas(**aliases), tmp_path).data["messages"]) == ["Thing"]


def test_bombs_are_refused_by_the_reader(tmp_path: Path) -> None:
    bomb = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9))
    assert "values once its aliases are followed" in refused(bomb, tmp_path)
    assert "is larger than 4,194,304 bytes" in refused("#" * 4_200_000, tmp_path)
    assert "nested deeper than 50 levels" in refused("[" * 60 + "]" * 60, tmp_path)


def test_only_the_caller_s_files_are_opened(tmp_path: Path) -> None:
    inside = tmp_path / "project"
    inside.mkdir()
    (tmp_path / "secret.json").write_text(json.dumps(schemas()))
    (inside / "link.json").symlink_to(tmp_path / "secret.json")
    os.mkfifo(inside / "pipe.json")
    for name, message in (("link.json", "outside the allowed folders"), ("../secret.json", "climbs with '..'"),
                           ("pipe.json", "It is no ordinary file"), ("none.json", "no such file")):  # fmt: skip
        with pytest.raises(BadInput, match=message):
            read_openapi(name, "a.v1", Source({"from_openapi": name}, folders=(inside.resolve(),)))
    with pytest.raises(BadInput, match="the caller offers no folder"):
        answered({**SPEC})


WRONG = [None, 3, -1, True, "x", "", [], [None], [[]], {}, {"a": 1}, {"$ref": 3}, {"$ref": "#/paths"}, 10**400, 1.5]


@settings(max_examples=60, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate],
          suppress_health_check=list(HealthCheck))  # fmt: skip
@given(documents(), st.data())
def test_whatever_stands_anywhere_it_is_used_or_refused_in_words(
    tmp_path_factory: pytest.TempPathFactory, found: dict[str, Any], data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("api")
    for leaf in data.draw(st.lists(st.sampled_from(list(leaves(found))), min_size=1, max_size=4)):
        # A place further out is as good a one.
        at = leaf[: data.draw(st.integers(1, len(leaf)))]
        holder: Any = found
        for part in at[:-1]:
            holder = holder[part] if isinstance(holder, dict | list) and part in range_of(holder) else None
        if isinstance(holder, dict | list) and at[-1] in range_of(holder):
            holder[at[-1]] = data.draw(st.sampled_from(WRONG))
    try:
        made = imported(found, folder)
    except BadInput as refused:
        told = refused.problems
    else:
        assert made.data
        return
    assert all(problem.message and problem.file == "api.json" for problem in told)


def range_of(holder: Any) -> Any:
    return holder if isinstance(holder, dict) else range(len(holder))
