"""What schemas become, feature by feature."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from inline_snapshot import snapshot

from tests.grpc.openapi.documents import document, imported, schema_made, told

MONEY: dict[str, Any] = {
    "type": "object",
    "required": ["units"],
    "properties": {"units": {"type": "integer", "format": "int32"}},
}


@pytest.mark.parametrize(
    ("schema", "made"),
    [
        ({"type": "string"}, "string"),
        ({"type": "string", "format": "date-time"}, {"type": "timestamp", "rules": {"required": True}}),
        ({"type": "string", "format": "duration"}, {"type": "duration", "rules": {"required": True}}),
        ({"type": "string", "format": "byte"}, "bytes"),
        ({"type": "string", "format": "uuid"}, {"type": "string", "rules": {"uuid": True}}),
        ({"type": "string", "minLength": 2, "maxLength": 2}, {"type": "string", "rules": {"len": 2}}),
        ({"type": "string", "pattern": "^[A-Z]+$"}, {"type": "string", "rules": {"pattern": "^[A-Z]+$"}}),
        ({"type": "integer", "format": "int32"}, "int32"),
        ({"type": "integer"}, "int64"),
        ({"type": "integer", "minimum": 1, "maximum": 9}, {"type": "int32", "rules": {"gte": 1, "lte": 9}}),
        ({"type": "integer", "exclusiveMinimum": 0}, {"type": "int64", "rules": {"gte": 1}}),
        ({"type": "integer", "minimum": 0, "exclusiveMinimum": True}, {"type": "int64", "rules": {"gte": 1}}),
        ({"type": "integer", "format": "uint8"}, {"type": "int32", "rules": {"gte": 0, "lte": 255}}),
        ({"type": "number", "format": "float"}, "float"),
        ({"type": "number", "exclusiveMaximum": 1.5}, {"type": "double", "rules": {"lt": 1.5}}),
        ({"type": "number", "minimum": 3, "maximum": 3}, {"type": "double", "rules": {"const": 3}}),
        ({"type": ["string", "null"]}, "optional string"),
        ({"type": "string", "nullable": True}, "optional string"),
        ({"anyOf": [{"type": "integer", "format": "int32"}, {"type": "null"}]}, "optional int32"),
        ({"const": "card"}, {"type": "string", "rules": {"const": "card"}}),
        ({"type": "string", "enum": ["card"]}, {"type": "string", "rules": {"const": "card"}}),
        ({"type": "integer", "enum": [0, 1]}, {"type": "int64", "rules": {"in": [0, 1]}}),
        ({"type": "boolean", "enum": [True]}, {"type": "bool", "rules": {"const": True}}),
        ({"type": "array", "items": {"type": "string", "minLength": 1}, "uniqueItems": True, "minItems": 1},
         {"type": "repeated string", "rules": {"min_items": 1, "unique": True, "items": {"min_len": 1}}}),
        ({"type": "object", "additionalProperties": {"type": "string", "maxLength": 9}, "maxProperties": 5},
         {"type": "map<string,string>", "rules": {"max_pairs": 5, "values": {"max_len": 9}}}),
        ({"type": "object"}, {"type": "struct", "rules": {"required": True}}),
        ({}, {"type": "google.protobuf.Value", "rules": {"required": True}}),
        ({"allOf": [{"type": "string", "minLength": 1}, {"minLength": 3}]},
         {"type": "string", "rules": {"min_len": 3}}),
        ({"allOf": [{"$ref": "#/components/schemas/Money"}], "description": "Said."},
         {"type": "Money", "rules": {"required": True}}),
        ({"oneOf": [{"type": "string", "format": "email"}, {"type": "string", "format": "uuid"}]}, "string"),
    ],
)  # fmt: skip
def test_a_value_becomes(schema: dict[str, Any], made: Any, tmp_path: Path) -> None:
    assert schema_made(schema, tmp_path, Money=MONEY)[0] == made


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "integer", "multipleOf": 5}, "A rule of the schema isn't carried over"),
        ({"type": "string", "pattern": "(?=a)b"}, "RE2"),
        ({"type": "string", "pattern": "("}, "RE2"),
        ({"type": "string", "format": "iban"}, "A format that neither"),
        ({"type": "integer", "minimum": 5, "maximum": 4}, "No value can keep both bounds"),
        ({"type": "integer", "format": "int32", "minimum": 2**40}, "that the type can't hold"),
        ({"type": "integer", "enum": [0, 2**70]}, "that the type can't hold"),
        ({"type": ["string", "integer"]}, "one of several types"),
        ({"allOf": [{"type": "string"}, {"type": "boolean"}]}, "contradict each other"),
        ({"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False}, "no further keys"),
        ({"type": "object", "properties": {"a": {}}, "additionalProperties": True}, "and further ones"),
        ({"type": "array", "items": {"type": "array", "items": {"type": "string"}}}, "A list of lists"),
        ({"type": "array", "items": {"type": ["string", "null"]}}, "Items that may be null"),
        ({"type": "string", "default": "a"}, "A default is said in a comment"),
        ({"type": "string", "readOnly": True}, "readOnly"),
        ({"type": "string", "deprecated": True}, "deprecated is said in a comment"),
        ({"type": "string", "examples": ["a"]}, "Examples aren't carried over"),
        ({"type": "string", "x-own": 1}, "What tools outside of OpenAPI read"),
        ({"type": "string", "mnLength": 1}, "`mnLength` isn't carried over"),
        ({"type": "object", "properties": {"a": {}}, "discriminator": {"propertyName": "a"}}, "What a discriminator"),
        ({"type": "string", "xml": {"name": "a"}}, "How a value is written in XML"),
        (False, "allows no value"),
    ],
)
def test_what_can_not_be_said_is_told_at_its_place(schema: Any, words: str, tmp_path: Path) -> None:
    _, found = schema_made(schema, tmp_path)
    assert all(place.startswith("#/components/schemas/Thing/properties/it") for place in told(found, words))
    (only,) = [finding for finding in found.unsaid if words in finding.message]
    assert only.code == "PRT13"
    assert only.fix
    assert all(each.file == "api.json" and each.line for each in only.evidence)


def test_enums_have_names_of_their_own(tmp_path: Path) -> None:
    enum = {"type": "string", "enum": ["in-progress", "In Progress", "+1", "-1", ">=", "", "2d", None]}
    _, found = schema_made({"$ref": "#/components/schemas/Mood"}, tmp_path, Mood=enum,
                           MoodIn={"type": "string", "enum": ["progress", "else"]},
                           Code={"type": "integer", "enum": [1, -2], "x-enum-varnames": ["Low", "High"]})  # fmt: skip
    assert found.data["enums"] == snapshot(
        {
            "Mood": [
                "IN_PROGRESS",
                "IN_PROGRESS2",
                "PLUS_1",
                "MINUS_1",
                "GREATER_THAN_SIGN_EQUALS_SIGN",
                "EMPTY",
                "MOOD_2D",
            ],
            "MoodIn2": ["PROGRESS", "ELSE"],
            "Code": {"LOW": 1, "HIGH": -2},
        }
    )
    assert found.data["comments"]["Mood.IN_PROGRESS"] == '"in-progress" in OpenAPI.'


def test_names_that_no_field_can_have(tmp_path: Path) -> None:
    names = ["from", "oneof", "2fa", "Größe", "a b", "orderId", "order_id", "OrderID", 'quo"te', ""]
    thing = {"type": "object", "properties": {name: {"type": "boolean"} for name in names}}
    found = imported(document(schemas={"thing-2": thing, "None": thing}), tmp_path)
    assert found.data["messages"]["Thing2"] == snapshot(
        {
            "from_value": {"type": "optional bool", "json_name": "from"},
            "oneof_value": {"type": "optional bool", "json_name": "oneof"},
            "field_2fa": {"type": "optional bool", "json_name": "2fa"},
            "grosse": {"type": "optional bool", "json_name": "Größe"},
            "a_b": {"type": "optional bool", "json_name": "a b"},
            "order_id": "optional bool",
            "order_id_n2": {"type": "optional bool", "json_name": "order_id"},
            "order_id_n3": {"type": "optional bool", "json_name": "OrderID"},
            "quo_te": "optional bool",
            "field": "optional bool",
        }
    )
    assert list(found.data["messages"]) == ["Thing2", "NoneType"]


def test_what_extends_another_has_its_fields(tmp_path: Path) -> None:
    pet = {"type": "object", "description": "Any pet.", "required": ["kind"], "discriminator": {"propertyName": "kind"},
           "properties": {"kind": {"type": "string"}, "name": {"type": "string"}}}  # fmt: skip
    cat = {"allOf": [{"$ref": "#/components/schemas/Pet"}, {"type": "object", "required": ["name"],
           "properties": {"lives": {"type": "integer", "format": "int32"}, "kind": {"const": "cat"}}}]}  # fmt: skip
    found = imported(document(schemas={"Pet": pet, "Cat": cat}), tmp_path)
    assert found.data["messages"] == snapshot(
        {
            "Pet": {"kind": "string", "name": "optional string"},
            "Cat": {"kind": {"type": "string", "rules": {"const": "cat"}}, "name": "string", "lives": "optional int32"},
        }
    )


def test_a_choice_is_a_oneof(tmp_path: Path) -> None:
    schemas = {
        "Card": {"type": "object", "properties": {"last4": {"type": "string"}}},
        "Method": {
            "type": "object",
            "properties": {"id": {"type": "string"}},
            "oneOf": [{"$ref": "#/components/schemas/Card"}, {"type": "string"},
                      {"type": "array", "items": {"type": "string"}},
                      {"title": "Voucher", "type": "object", "properties": {"code": {"type": "string"}}}],
            "discriminator": {"propertyName": "kind", "mapping": {"plastic": "#/components/schemas/Card"}},
        },
    }  # fmt: skip
    found = imported(document(schemas=schemas), tmp_path)
    assert found.data["messages"] == snapshot(
        {
            "Card": {"last4": "optional string"},
            "MethodOption3List": {"values": "repeated string"},
            "Method": {
                "id": "optional string",
                "oneof": {
                    "kind": {
                        "plastic": "Card",
                        "string_value": "string",
                        "method_option3": "MethodOption3List",
                        "voucher": "Voucher",
                    }
                },
            },
            "Voucher": {"code": "optional string"},
        }
    )
    assert told(found, "One of several types is a oneof") == ["#/components/schemas/Method/oneOf"]


def test_what_needs_itself_can_be_built(tmp_path: Path) -> None:
    node = {"type": "object", "required": ["left"], "properties": {
        "left": {"$ref": "#/components/schemas/Node"}, "right": {"$ref": "#/components/schemas/Node"},
        "children": {"type": "array", "items": {"$ref": "#/components/schemas/Node"}}}}  # fmt: skip
    lists = {"type": "array", "items": {"$ref": "#/components/schemas/Lists"}}
    pets = {"oneOf": [{"$ref": "#/components/schemas/Cat"}]}
    cat = {
        "allOf": [{"$ref": "#/components/schemas/Pets"}, {"type": "object", "properties": {"a": {"type": "string"}}}]
    }
    found = imported(document(schemas={"Node": node, "Lists": lists, "Pets": pets, "Cat": cat}), tmp_path)
    assert found.data["messages"] == snapshot(
        {
            "Node": {"left": "optional Node", "right": "optional Node", "children": "repeated Node"},
            "Cat": {"a": "optional string"},
        }
    )
    assert told(found, "need one another in a circle") == ["#/components/schemas/Node/properties/left"]


def test_what_is_said_becomes_comments(tmp_path: Path) -> None:
    thing = {"title": "A thing", "description": "Said\nof it.", "type": "object", "properties": {
        "a": {"type": "integer", "format": "int32", "description": "How many.", "default": 3, "deprecated": True},
        "b": {"$ref": "#/components/schemas/Text", "description": "Here."}}}  # fmt: skip
    found = imported(document(schemas={"Thing": thing, "Text": {"type": "string", "description": "A text."}}), tmp_path)
    assert found.data["comments"] == snapshot(
        {
            "Thing": """\
A thing
Said
of it.\
""",
            "Thing.a": """\
How many.
Default: 3.
Deprecated.\
""",
            "Thing.b": """\
Here.
A text.\
""",
        }
    )
