from __future__ import annotations

from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot
from pydantic import BaseModel, ConfigDict, Field

from halfopen.vocabulary import Report, Status
from halfopen_server.mcp_answers import Answer
from halfopen_server.mcp_schema import brief, flat, outline


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")

    title: str = ""
    anyOf: int | None = None  # noqa: N815 - a key that is a word of JSON Schema too


class Outer(BaseModel):
    """Two
    lines."""

    model_config = ConfigDict(extra="forbid")

    inner: Inner | None = Field(default=None, description="One\n  inside.")
    many: dict[str, Inner] = Field(default_factory=dict)
    either: int | str | None = None


VALUES = st.recursive(
    st.one_of(st.integers(-2, 2), st.text(max_size=2), st.booleans()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2),
        st.dictionaries(st.sampled_from(["inner", "many", "either", "title", "anyOf", "x"]), inner, max_size=3),
    ),
    max_leaves=6,
)


def test_an_answer_is_told_by_its_keys_and_not_by_what_they_hold() -> None:
    class Told(BaseModel):
        """Of many."""

        model_config = ConfigDict(extra="forbid")

        description: str = Field(description="A name that is a word of JSON Schema too.", pattern="^[a-z]+$")

    class Whole(BaseModel):
        model_config = ConfigDict(extra="forbid")

        parts: tuple[Told, ...] = Field(description="All of them.")
        one: Told | None = None
        status: Status

    schema = outline(Whole.model_json_schema())
    assert schema == snapshot(
        {
            "additionalProperties": False,
            "properties": {
                "parts": {"type": "array", "description": "All of them."},
                "one": {"type": "object"},
                "status": {"type": "string", "enum": ["passed", "failed", "skipped"]},
            },
            "required": ["parts", "status"],
            "type": "object",
        }
    )
    jsonschema.validate({"parts": [{"description": "a"}], "status": "passed"}, schema)
    for wrong in ({"parts": {}, "status": "passed"}, {"parts": [], "status": "no"}, {"parts": []}, {"more": 1}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, schema)


class Leaf(BaseModel):
    """What a branch ends in."""

    model_config = ConfigDict(extra="forbid")

    length: int = Field(default=1, ge=1, le=9)


class Branch(BaseModel):
    """One of many."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(pattern="^[a-z]+$")
    first: Leaf = Leaf()
    second: Leaf = Leaf()
    green: bool = False
    twigs: tuple[str, ...] = ()


class Tree(Branch):
    """The whole."""

    then: tuple[Branch, ...] = Field(default=(), description="Further up.")
    root: Inner = Field(description="Only here.")


def test_an_argument_says_once_what_it_is() -> None:
    schema = flat(Tree)
    assert schema["properties"]["then"] == snapshot(
        {
            "description": "Further up.",
            "items": {"type": "object", "required": ["name"], "description": "One of many. Keys as beside it."},
            "type": "array",
        }
    )
    assert schema["properties"]["root"]["description"] == "Only here."
    assert set(schema["properties"]["root"]["properties"]) == {"title", "anyOf"}
    # What stands in two places is referred to; limits and patterns are told by whoever reads the value.
    assert schema["$defs"] == {
        "Leaf": {
            "description": "What a branch ends in.",
            "properties": {"length": {"default": 1, "type": "integer"}},
            "type": "object",
        }
    }


@given(VALUES)
def test_an_argument_that_is_legal_passes_its_schema(value: Any) -> None:
    valid = jsonschema.Draft202012Validator
    if valid(Outer.model_json_schema()).is_valid(value):
        assert valid(flat(Outer)).is_valid(value)


def test_what_a_reader_can_do_without_goes_and_keys_that_look_like_it_stay() -> None:
    schema = brief(Outer.model_json_schema())
    assert schema["description"] == "Two lines."
    assert schema["properties"]["inner"] == {"$ref": "#/$defs/Inner", "description": "One inside."}
    assert schema["properties"]["either"] == {"anyOf": [{"type": "integer"}, {"type": "string"}]}
    assert set(schema["$defs"]["Inner"]["properties"]) == {"title", "anyOf"}
    assert "title" not in schema


def _holds_null(value: Any) -> bool:
    if isinstance(value, dict | list):
        return any(map(_holds_null, value.values() if isinstance(value, dict) else value))
    return value is None


@given(VALUES)
def test_without_nulls_the_brief_schema_allows_what_the_long_one_does(value: Any) -> None:
    assert not _holds_null(value)
    long, short = Outer.model_json_schema(), brief(Outer.model_json_schema())
    valid = jsonschema.Draft202012Validator
    assert valid(short).is_valid(value) == valid(long).is_valid(value)


def test_the_schema_of_the_answer_is_a_fifth_shorter() -> None:
    long = Answer.model_json_schema()
    assert len(str(brief(long))) < len(str(long)) * 0.8
    assert set(brief(long)["required"]) == {"outcome", "summary"}
    assert set(Report.model_fields) <= set(brief(long)["properties"])


def test_one_name_with_two_meanings_is_refused() -> None:
    class Other(BaseModel):
        inner: int

    with pytest.raises(ValueError, match="'inner' has two meanings, the second in Other"):
        flat(Outer, Other)
