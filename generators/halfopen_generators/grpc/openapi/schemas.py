"""Schemas: what each becomes, a scalar with its rules, a list or map, an enum, or a message of its own."""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, field, replace
from typing import Any

from halfopen.source import Location
from halfopen_generators.grpc.openapi.choices import choice
from halfopen_generators.grpc.openapi.document import MAX_DEPTH, Document, Part
from halfopen_generators.grpc.openapi.enums import constants
from halfopen_generators.grpc.openapi.facets import Schema, flattened, is_annotated, merged
from halfopen_generators.grpc.openapi.losses import Loss, Losses, changed
from halfopen_generators.grpc.openapi.made import Body, Made
from halfopen_generators.grpc.openapi.naming import Scope, singular
from halfopen_generators.grpc.openapi.scalars import ANY, Type, scalar

MAX_SCHEMAS = 5_000
_IMPLIED = (
    ("object", ("properties", "additionalProperties", "minProperties", "maxProperties")),
    ("array", ("items", "minItems", "maxItems", "uniqueItems")),
    ("string", ("minLength", "maxLength", "pattern")),
    ("number", ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")),
)
ANYTHING = changed(
    "Any value is allowed here: it is a google.protobuf.Value, which holds any JSON and no type.",
    "Say in the spec what it is, if it is known.",
)
FREE = changed(
    "An object of any keys is a google.protobuf.Struct: any JSON object, whose whole numbers become doubles.",
    "Say in the spec which fields it has, or `map<string,string>`, if that is known.",
)
SEVERAL = Loss(
    "A value of one of several types is a google.protobuf.Value: a field has one type.",
    "Say one type in the spec, or a message with a `oneof`.",
)
NOTHING = Loss("A schema that allows no value says nothing in Protobuf.", "Leave the field out with `remove`.")
ENDLESS = Loss(
    "A list or map that holds itself, with no object between, is a google.protobuf.Value.",
    "Write a message that holds a list of itself in the spec.",
)
WRAPPED = changed(
    "A list of lists, or a list in a map: Protobuf nests neither, so a message stands between. JSON gets a level more.",
    "Nothing for callers of gRPC; callers of the JSON have to add the level.",
)
NULL_ITEMS = Loss("Items that may be null can't be: a list holds values alone.", "Leave them out, or wrap the value.")
DEFAULT = changed(
    "A default is said in a comment alone: Protobuf has none, and who applies it is the server.",
    "Apply it in the server where the field isn't set.",
)
ONE_WAY = changed(
    "That a value is only answered (readOnly) or only sent (writeOnly) is said in a comment alone.",
    "Ignore in the server what callers may not set, and never answer with what is only sent.",
)
DEPRECATED = changed(
    "That something is deprecated is said in a comment alone.", "Leave it out with `remove` when nobody uses it."
)
RENAMED = changed(
    "A schema's name can't be the message's or enum's: it isn't PascalCase, or something else bears it.",
    "Nothing: neither Protobuf nor its JSON sends the name. Rename the schema if the new name misleads.",
)


def is_component(part: Part) -> bool:
    """Whether it is a schema with a name of its own."""
    return part.at[:2] == ("components", "schemas") and len(part.at) == len(("components", "schemas", "name"))


@dataclass
class Schemas:
    """Makes types of schemas, each once, and keeps the messages and enums that they need."""

    doc: Document
    losses: Losses
    scope: Scope
    made: Made
    known: dict[Location, Type] = field(default_factory=dict)
    opened: dict[Location, None] = field(default_factory=dict)  # those whose type is being found
    uses: dict[Location, set[Location | None]] = field(default_factory=dict)  # by which others; None: by a field
    pending: deque[tuple[str, Schema]] = field(default_factory=deque)
    spread: dict[Location, None] = field(default_factory=dict)  # those whose fields stand in a request or response

    def type(self, part: Part, hint: str) -> Type:
        """What the schema becomes.

        Args:
            part: The schema.
            hint: What to call it after, if it needs a name and has none.

        Raises:
            BadInput: it is no schema, or refers to what isn't there.
        """
        self.uses.setdefault(part.at, set()).add(next(reversed(self.opened), None))
        if (found := self.known.get(part.at)) is not None:
            return found
        if part.at in self.opened:
            self.losses.tell(ENDLESS, part.at)
            return Type(ANY, of="message")
        if len(self.opened) > MAX_DEPTH:
            part.refuse(f"is nested deeper than {MAX_DEPTH} levels.")
        self.opened[part.at] = None
        found = self._type(part, hint)
        del self.opened[part.at]
        return self.known.setdefault(part.at, found)

    def looked_at(self, part: Part) -> Type:
        """What the schema becomes, for its own sake: that is no use of it."""
        nobody: Location = ("nobody", len(self.opened))
        self.opened[nobody] = None
        found = self.type(part, part.name)
        del self.opened[nobody]
        return found

    def _type(self, part: Part, hint: str) -> Type:
        if is_component(part):
            hint = part.name
        if isinstance(part.value, bool):
            self.doc.whole.add(part.at)
            self.losses.tell(ANYTHING if part.value else NOTHING, part.at)
            return Type(ANY, of="message")
        part.mapping()
        if (one := self._stands_for(part)) is not None:
            found = self.type(one, hint)
            null = part.flag("nullable")
            return replace(found, nullable=found.nullable or null, notes=(*self.notes(part), *found.notes))
        schema = flattened(part, self.losses)
        found = self.of(schema, hint)
        kind = "enums" if found.of == "enum" else "messages"
        if not found.label and self.made.places.get((kind, found.name)) == schema.first.at:
            return found  # its own comment says it
        return replace(found, notes=(*self.notes_of(schema), *found.notes))

    def _stands_for(self, part: Part) -> Part | None:
        """The schema that it is, but for what is said beside it; None if it is one itself."""
        if isinstance(part.value.get("$ref"), str):
            target = part.followed()
            return target if not self.doc.minor or is_annotated(part, "$ref") else None
        if isinstance(part.value.get("allOf"), list) and len(part.value["allOf"]) == 1 and is_annotated(part, "allOf"):
            return part.items("allOf")[0]
        return None

    def of(self, schema: Schema, hint: str) -> Type:
        """What the schemas of one value become together."""
        kinds, null = schema.types()
        if schema.has("enum", "const") and (found := constants(self, schema, hint, kinds)) is not None:
            return replace(found, nullable=found.nullable or null)
        if schema.has("oneOf", "anyOf") and (found := choice(self, schema, hint, kinds)) is not None:
            return replace(found, nullable=found.nullable or null)
        kinds = kinds or [kind for kind, keys in _IMPLIED if schema.has(*keys)][:1]
        if set(kinds) == {"integer", "number"}:
            kinds = ["number"]
        if len(kinds) > 1:
            self.losses.tell(SEVERAL, schema.first.at)
        elif not kinds:
            self.losses.tell(ANYTHING, schema.first.at)
        if len(kinds) != 1:
            return Type(ANY, of="message", nullable=null)
        if kinds[0] == "array":
            return replace(self._list(schema, hint), nullable=null)
        if kinds[0] == "object":
            return replace(self._object(schema, hint), nullable=null)
        return replace(scalar(schema, kinds[0]), nullable=null)

    def _list(self, schema: Schema, hint: str) -> Type:
        items = [facet.part("items") for facet in schema.saying("items")]
        found = self.among([item for item in items if item is not None], singular(hint), hint)
        rules: dict[str, Any] = {
            rule: value
            for rule, value in (("min_items", schema.most("minItems")), ("max_items", schema.least("maxItems")))
            if value
        }
        if found.of != "message" and schema.any("uniqueItems"):
            rules["unique"] = True
        if found.rules:
            rules["items"] = dict(found.rules)
        return Type(found.name, "repeated", rules, notes=found.notes, of=found.of)

    def among(self, parts: list[Part], hint: str, outer: str) -> Type:
        """What is held by a list or a map: one value, in a message of its own if it is a list or a map itself."""
        if not parts:
            return Type(ANY, of="message")
        found = self.type(parts[0], hint) if len(parts) == 1 else self.of(merged(parts, self.losses), hint)
        if found.nullable:
            self.losses.tell(NULL_ITEMS, parts[0].at)
        return self.alone(replace(found, nullable=False), parts[0], hint, outer)

    def alone(self, found: Type, part: Part, hint: str, outer: str = "") -> Type:
        """The type if it is one value; a message that holds it if it is a list or a map."""
        if not found.label:
            return found
        self.losses.tell(WRAPPED, part.at)
        what = "List" if found.label == "repeated" else "Map"
        key = (*part.at, f"({what})")
        if key not in self.known:
            name = self.name(hint if hint != outer else f"{hint}{what}", part.at)
            body = Body()
            body.add("values", self.made.field(found, part.at, required=False), part.at, found.notes)
            self.made.message(name, body)
            self.known[key] = Type(name, of="message")
        return self.known[key]

    def name(self, hint: str, at: Location) -> str:
        """A name for a message, and its place."""
        name = self.scope.type(hint)
        self.placed("messages", name, at)
        if len(self.made.places) > MAX_SCHEMAS * 20 or len(self.made.messages) + len(self.pending) >= MAX_SCHEMAS:
            self.doc.refuse(at, f"becomes one message too many: there can be {MAX_SCHEMAS:,}. Take a part of the API.")
        return name

    def is_used(self, at: Location) -> bool:
        """Whether what is made of the schema stands in a field, be it within another one."""
        seen, todo = {at}, [at]
        while todo:
            for user in self.uses.get(todo.pop(), ()):
                if user is None or user in self.made.places.values():
                    return True
                if user not in seen:
                    seen.add(user)
                    todo.append(user)
        return False

    def placed(self, key: str, name: str, at: Location) -> None:
        """Keep where a message or enum comes from."""
        self.made.places[(key, name)] = at
        if is_component(Part(self.doc, at, None)) and at[-1] != name:
            self.losses.tell(RENAMED, at)

    def _object(self, schema: Schema, hint: str) -> Type:
        more = [facet.part("additionalProperties") for facet in schema.saying("additionalProperties")]
        closed = any(part is not None and part.value is False for part in more)
        if schema.has("properties") or closed:
            return self.message(schema, hint)
        if len(more) == 1 and more[0] is not None and isinstance(more[0].value, dict) and more[0].value:
            found = self.map([more[0]], hint)
            least, most = schema.most("minProperties"), schema.least("maxProperties")
            sizes = {rule: size for rule, size in (("min_pairs", least), ("max_pairs", most)) if size}
            return replace(found, rules={**sizes, **found.rules})
        for part in more:
            if part is not None:
                self.doc.whole.add(part.at)
        self.losses.tell(FREE, schema.first.at)
        return Type("struct", of="message")

    def map(self, parts: list[Part], hint: str) -> Type:
        """A map to values of that schema."""
        found = self.among(parts, f"{hint}Value", hint)
        rules = {"values": dict(found.rules)} if found.rules else {}
        return Type(found.name, "map", rules, notes=found.notes, of=found.of)

    def message(self, schema: Schema, hint: str) -> Type:
        """A message of its own, whose fields are looked at later: they may need it."""
        name = self.name(hint, schema.first.at)
        self.pending.append((name, schema))
        return Type(name, of="message")

    def notes_of(self, schema: Schema) -> tuple[str, ...]:
        """What is said of all of a value's schemas; one that is a message of its own says it there."""
        inherited = {
            facet.at
            for facet in schema.facets[1:]
            if is_component(facet) and (facet.at in self.opened or self.looked_at(facet).of == "message")
        }
        lines = [note for facet in schema.facets if facet.at not in inherited for note in self.notes(facet)]
        return tuple(dict.fromkeys(lines))

    def notes(self, part: Part) -> tuple[str, ...]:
        """What is said of a schema, for the comment of what it becomes."""
        lines = [part.text("title"), part.text("description")]
        if "default" in part and part.value["default"] is not None:
            lines.append(f"Default: {json.dumps(part.raw('default'), ensure_ascii=False)[:200]}.")
            self.losses.tell(DEFAULT, (*part.at, "default"))
        for key, note in (("readOnly", "Output only."), ("writeOnly", "Input only."), ("deprecated", "Deprecated.")):
            if part.flag(key):
                lines.append(note)
                self.losses.tell(DEPRECATED if key == "deprecated" else ONE_WAY, (*part.at, key))
        return tuple(line for line in lines if line)
