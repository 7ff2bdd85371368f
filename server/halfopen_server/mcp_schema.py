"""A tool's JSON Schema, said as briefly as it can be: every session of every user carries it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

_NULL = {"type": "null"}
# Keys whose value maps names to schemas: a name there is the user's word, not the schema's.
_BY_NAME = {"properties", "patternProperties", "$defs"}

# What matters to somebody who has to fill it in.
_OF_INPUT = frozenset({"description", "additionalProperties", "pattern", "minimum", "maximum", "minItems", "default"})


def brief(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema without what a reader can do without: titles, examples, and null as a way to leave a key out."""
    short = {key: _part(key, value) for key, value in schema.items() if key not in {"title", "examples", "anyOf"}}
    if schema.get("default", ...) in (None, [], {}, ""):
        del short["default"]
    if "anyOf" in schema:
        alternatives = [brief(choice) for choice in schema["anyOf"] if choice != _NULL]
        short = {**alternatives[0], **short} if len(alternatives) == 1 else {"anyOf": alternatives, **short}
    if "description" in short:
        short["description"] = " ".join(short["description"].split())
    return short


def outline(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of an answer, still briefer: what a part is called and made of, and not which values it may have.

    Nobody fills in an answer, and every tool carries this.
    """
    short = brief(schema)
    return {**short, "$defs": {name: _outlined(part) for name, part in short.get("$defs", {}).items()}}


def _outlined(part: Mapping[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = {key: value for key, value in part.items() if key not in _OF_INPUT}
    if "properties" in told:
        told["properties"] = {name: _outlined(each) for name, each in told["properties"].items()}
    return told


def _part(key: str, value: Any) -> Any:
    if key in _BY_NAME:
        return {name: brief(part) for name, part in value.items()}
    if key in {"items", "additionalProperties"} and isinstance(value, dict):
        return brief(value)
    return value


def flat(*models: type[BaseModel]) -> dict[str, Any]:
    """One object schema with the fields of all these models side by side, none of them required.

    Raises:
        ValueError: two models claim one name, so that a caller couldn't say which is meant.
    """
    properties: dict[str, Any] = {}
    definitions: dict[str, Any] = {}
    for model in models:
        schema = brief(model.model_json_schema())
        for name, part in schema.get("properties", {}).items():
            if name in properties:
                raise ValueError(f"the argument {name!r} has two meanings, the second in {model.__name__}")
            properties[name] = part
        for name, part in schema.get("$defs", {}).items():
            if definitions.setdefault(name, part) != part:
                raise ValueError(f"the definition {name!r} has two meanings, the second in {model.__name__}")
    found = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**found, "$defs": definitions} if definitions else found
