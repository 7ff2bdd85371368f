"""A tool's JSON Schema, said as briefly as it can be: every session of every user carries it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

_NULL = {"type": "null"}
# Keys whose value maps names to schemas: a name there is the user's word, not the schema's.
_BY_NAME = {"properties", "patternProperties", "$defs"}


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
    """The schema of an answer, still briefer: of its parts what each has and must have, and not of which kind that is.

    Nobody fills in an answer, and every tool carries this.
    """
    short = brief(schema)
    parts = {name: _outlined(part) for name, part in short.get("$defs", {}).items()}
    told = {name: _linked(part, parts) for name, part in short["properties"].items()}
    named = {name: part for name, part in parts.items() if part["type"] == "object" and f"/{name}'" in str(told)}
    return {**short, "properties": told, "$defs": named}


def _outlined(part: Mapping[str, Any]) -> dict[str, Any]:
    if "properties" not in part:
        return {key: value for key, value in part.items() if key != "description"}
    required = part.get("required", [])
    optional = [name for name in part["properties"] if name not in required]
    also = {"description": f"Perhaps with {', '.join(optional)}."} if optional else {}
    return {"type": "object", **({"required": required} if required else {}), **also}


def _linked(part: Any, parts: Mapping[str, Any]) -> Any:
    """The part, with what it refers to in its place where that has no parts of its own."""
    if not isinstance(part, dict):
        return part
    known = parts.get(str(part.get("$ref", "")).rpartition("/")[2], {})
    if "$ref" in part and known.get("type") != "object":
        return {**known, **{key: value for key, value in part.items() if key != "$ref"}}
    return {key: _linked(value, parts) for key, value in part.items()}


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
