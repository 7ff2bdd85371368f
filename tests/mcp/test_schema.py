from __future__ import annotations

from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
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


def test_an_answer_is_told_by_names_and_still_judged_by_them() -> None:
    class Told(BaseModel):
        """Of many."""

        model_config = ConfigDict(extra="forbid")

        description: str = Field(description="A name that is a word of JSON Schema too.", pattern="^[a-z]+$")
        count: int = Field(default=1, ge=1)

    class Whole(BaseModel):
        parts: tuple[Told, ...] = Field(description="All of them.")
        status: Status

    schema = outline(Whole.model_json_schema())
    assert schema["properties"]["parts"]["description"] == "All of them."
    assert schema["$defs"]["Told"] == {
        "type": "object",
        "required": ["description"],
        "description": "Perhaps with count.",
    }
    assert schema["properties"]["status"] == {"enum": ["passed", "failed", "skipped"], "type": "string"}
    assert set(schema["$defs"]) == {"Told"}
    jsonschema.validate({"parts": [{"description": "A"}], "status": "passed"}, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"parts": [{"count": 1}], "status": "passed"}, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"parts": [], "status": "no"}, schema)


def test_what_a_reader_can_do_without_goes_and_keys_that_look_like_it_stay() -> None:
    schema = brief(Outer.model_json_schema())
    assert schema["description"] == "Two lines."
    assert schema["properties"]["inner"] == {"$ref": "#/$defs/Inner", "description": "One inside."}
    assert schema["properties"]["either"] == {"anyOf": [{"type": "integer"}, {"type": "string"}]}
    assert set(schema["$defs"]["Inner"]["properties"]) == {"title", "anyOf"}
    assert "title" not in schema


VALUES = st.recursive(
    st.one_of(st.integers(-2, 2), st.text(max_size=2), st.booleans()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2),
        st.dictionaries(st.sampled_from(["inner", "many", "either", "title", "anyOf", "x"]), inner, max_size=3),
    ),
    max_leaves=6,
)


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
