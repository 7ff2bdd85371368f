"""A tool's JSON Schema, said as briefly as it can be: every session of every user carries it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

_NULL = {"type": "null"}
# Keys whose value maps names to schemas: a name there is the user's word, not the schema's.
_BY_NAME = {"properties", "patternProperties", "$defs"}
_LIMITS = {"pattern", "minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems", "minProperties",
           "maxProperties", "propertyNames"}  # fmt: skip
# An unknown key is told with the nearest known one, and what is false by default is so by itself.
_PLAIN = [("additionalProperties", False), ("default", False)]
# So many keys make it worth to say them once.
_MANY = 5


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
    """The schema of an answer, still briefer: what it has, and of what kind, but not what its parts have in turn.

    Nobody fills in an answer, and every tool carries this.
    """
    short = brief(schema)
    parts = short.get("$defs", {})
    told = {name: _kind(part, parts) for name, part in short["properties"].items()}
    return {key: value for key, value in short.items() if key != "$defs"} | {"properties": told}


def _kind(part: Mapping[str, Any], parts: Mapping[str, Any]) -> dict[str, Any]:
    """What sort of value it is: the legal ones if they are few, and what it says of itself."""
    known = {**parts.get(str(part.get("$ref", "")).rpartition("/")[2], {}), **part}
    return {key: known[key] for key in ("type", "enum", "description") if key in known and key not in _of_part(part)}


def _of_part(part: Mapping[str, Any]) -> set[str]:
    # What is referred to describes itself, not its use here.
    return {"description"} if "$ref" in part and "description" not in part else set()


def lean(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema without what is told, with the legal values, once it is broken: limits, patterns, unknown keys."""
    found: dict[str, Any] = {}
    for key, value in schema.items():
        if key in _LIMITS or (key, value) in _PLAIN:
            continue
        if key in _BY_NAME:
            found[key] = {name: lean(part) for name, part in value.items()}
        elif key in {"items", "additionalProperties"} and isinstance(value, dict):
            found[key] = lean(value)
        elif key == "anyOf":
            found[key] = [lean(choice) for choice in value]
        else:
            found[key] = value
    return found


def _folded(properties: Mapping[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    """The definitions, those that repeat the keys beside them told in a sentence."""
    return {
        name: {
            "type": "object",
            "required": part.get("required", []),
            "description": f"{part.get('description', '')} Keys as beside it.".strip(),
        }
        if len(part.get("properties", {})) >= _MANY and part["properties"].items() <= properties.items()
        else part
        for name, part in definitions.items()
    }


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
        schema = lean(brief(model.model_json_schema()))
        for name, part in schema.get("properties", {}).items():
            if name in properties:
                raise ValueError(f"the argument {name!r} has two meanings, the second in {model.__name__}")
            properties[name] = part
        for name, part in schema.get("$defs", {}).items():
            if definitions.setdefault(name, part) != part:
                raise ValueError(f"the definition {name!r} has two meanings, the second in {model.__name__}")
    found = {"type": "object", "properties": properties, "additionalProperties": False}
    return _inlined({**found, "$defs": _folded(properties, definitions)}) if definitions else found


def _inlined(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with each definition that is referred to once in the place of that reference."""
    uses = Counter(_references(schema))
    definitions = {name: part for name, part in schema["$defs"].items() if uses[name] > 1}
    once = {name: part for name, part in schema["$defs"].items() if uses[name] == 1}

    def placed(part: Any) -> Any:
        if isinstance(part, list):
            return [placed(each) for each in part]
        if not isinstance(part, dict):
            return part
        known = once.get(str(part.get("$ref", "")).rpartition("/")[2])
        if known is not None:
            part = {**known, **{key: value for key, value in part.items() if key != "$ref"}}
        return {key: placed(value) for key, value in part.items()}

    found = {key: placed(value) for key, value in schema.items() if key != "$defs"}
    return {**found, "$defs": placed(definitions)} if definitions else found


def _references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"].rpartition("/")[2]
        yield from (name for value in part.values() for name in _references(value))
    elif isinstance(part, list):
        yield from (name for value in part for name in _references(value))
