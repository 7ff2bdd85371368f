"""What is made of a document, in the words of a spec: messages, enums, comments, and where each came from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import networkx as nx

from halfopen.protobuf import Names, field_type
from halfopen.source import Location
from halfopen_generators.grpc.field_rules import faults
from halfopen_generators.grpc.openapi.losses import Loss, Losses, changed
from halfopen_generators.grpc.openapi.naming import field_name
from halfopen_generators.grpc.openapi.scalars import Type
from halfopen_generators.grpc.released import default_json_name
from halfopen_generators.grpc.spec import MAX_FIELDS

LONGEST_COMMENT = 20_000
_LONGEST_JSON_NAME = 100

NULLABLE = changed(
    "A value that may be null: Protobuf has no null, so it is one with a field that isn't set.",
    "Say what null means by a field of its own if it isn't the same as absent.",
)
REQUIRED_LIST = changed(
    "A list or map that has to be there: Protobuf can't tell an empty one from none, so it may be left out.",
    "Nothing, if an empty one means the same.",
)
JSON_NAME = Loss(
    "A name in JSON can't be kept as the json_name of its field: another field has it, or it holds what none may hold.",
    "Callers of the JSON have to send the new name.",
)
NO_RULE = Loss(
    "A rule isn't carried over: protovalidate has none of the kind for the type that the value became.",
    "Check it in the server, or write it as a rule in CEL: https://protovalidate.com/schemas/custom-rules/.",
)
NEVER_ENDS = changed(
    "Messages that need one another in a circle: one that has to be there would never end, so the field is optional.",
    "Nothing, if the last one leaves it out.",
)
LONG_COMMENT = Loss(
    f"A comment is cut after {LONGEST_COMMENT:,} characters.", "Say it in a page of its own, and link to it."
)


@dataclass
class Body:
    """The fields of a message, and what is said of each."""

    fields: dict[str, dict[str, Any]] = field(default_factory=dict)
    groups: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    comments: dict[str, str] = field(default_factory=dict)
    places: dict[str, Location] = field(default_factory=dict)
    names: Names = field(default_factory=Names)
    json_names: set[str] = field(default_factory=set)

    def add(self, wanted: str, spec: Mapping[str, Any], place: Location, notes: Iterable[str] = (),
            *, group: str | None = None) -> str:  # fmt: skip
        """Add a field under that name, or the first one free that is made of it; answers with the name."""
        name = self.names.give(field_name(wanted))
        (self.fields if group is None else self.groups[group])[name] = dict(spec)
        if text := "\n".join(note for note in notes if note):
            self.comments[name] = text
        self.places[name] = place
        return name

    def group(self, wanted: str) -> str:
        """Begin a oneof; answers with its name."""
        name = self.names.give(field_name(wanted))
        self.groups[name] = {}
        return name

    @property
    def data(self) -> dict[str, Any]:
        """As a spec has it."""
        fields = {name: _short(said) for name, said in self.fields.items()}
        groups = {
            group: {name: _short(said) for name, said in members.items()}
            for group, members in self.groups.items()
            if members
        }
        return {**fields, "oneof": groups} if groups else fields


def _short(said: Mapping[str, Any]) -> Any:
    return said["type"] if list(said) == ["type"] else dict(said)


@dataclass
class Made:
    """All that was made."""

    losses: Losses
    messages: dict[str, Body] = field(default_factory=dict)
    enums: dict[str, Any] = field(default_factory=dict)
    comments: dict[str, str] = field(default_factory=dict)
    places: dict[tuple[str, ...], Location] = field(default_factory=dict)

    def add(self, body: Body, wanted: str, found: Type, place: Location, notes: Iterable[str] = (),
            *, required: bool = False, in_json: bool = True) -> str:  # fmt: skip
        """Add a field to a message, under that name or one made of it.

        Args:
            body: The message.
            wanted: Its name in the document.
            found: Its type.
            place: Where it stands in the document.
            notes: What is said of it.
            required: Whether it has to be there.
            in_json: Whether JSON has it under the name in the document.

        Returns:
            Its name.
        """
        name = body.add(wanted, {}, place, (*notes, *found.notes))
        said = self.field(found, place, required=required)
        if in_json and default_json_name(name) != wanted:
            illegal = not 0 < len(wanted) <= _LONGEST_JSON_NAME or any(sign in '"\\' or sign < " " for sign in wanted)
            if illegal or wanted in body.json_names:
                self.losses.tell(JSON_NAME, place)
            else:
                said = {"type": said["type"], "json_name": wanted, **said}
        body.json_names |= {said.get("json_name", default_json_name(name))}
        body.fields[name] = said
        return name

    def field(self, found: Type, place: Location, *, required: bool, member: bool = False) -> dict[str, Any]:
        """What a field of that type says.

        Args:
            found: Its type.
            place: Where it stands in the document.
            required: Whether it has to be there.
            member: Whether it stands in a oneof, which tells by itself whether it is there.
        """
        rules = dict(found.rules)
        kind = found.spelled
        if found.label:
            if required and not member:
                self.losses.tell(REQUIRED_LIST, place)
        elif found.of != "scalar":
            if required and not found.nullable and not member:
                rules["required"] = True
        elif not (required and not found.nullable) and not member:
            kind = f"optional {kind}"
        if found.nullable:
            self.losses.tell(NULLABLE, place)
        said: dict[str, Any] = {"type": kind}
        if rules := self._kept(rules, kind, place, is_enum=found.of == "enum"):
            said["rules"] = rules
        return said

    def _kept(self, rules: dict[str, Any], kind: str, place: Location, *, is_enum: bool) -> dict[str, Any]:
        """The rules that there are for the type; the rest is told."""
        if not rules:
            return rules
        for fault in list(faults(rules, field_type(kind), is_enum=is_enum)):
            holder: Any = rules
            for step in fault.place[:-1]:
                holder = holder.get(step, {})
            if holder.pop(fault.place[-1], None) is not None:
                self.losses.tell(NO_RULE, place)
        return {name: rule for name, rule in rules.items() if rule != {}}

    def comment(self, element: str, *lines: str) -> None:
        """What is to be said of an element."""
        if text := "\n".join(stripped for line in lines if (stripped := line.strip())):
            self.comments[element] = text[:LONGEST_COMMENT]

    def message(self, name: str, body: Body) -> None:
        """Keep a message, with what is said of its fields and where they stand."""
        self.messages[name] = body
        for part, text in body.comments.items():
            self.comment(f"{name}.{part}", text)
        self.places |= {("messages", name, part): place for part, place in body.places.items()}
        if sum(map(len, (body.fields, *body.groups.values()))) > MAX_FIELDS:
            place = self.places.get(("messages", name), ())
            self.losses.doc.refuse(place, f"becomes a message of more than {MAX_FIELDS:,} fields: split it.")

    def untangled(self) -> None:
        """Make fields optional through which messages would need themselves."""
        needs = [
            (name, other, part)
            for name, body in self.messages.items()
            for part, said in body.fields.items()
            if (other := said["type"]) in self.messages
        ]
        graph = nx.DiGraph([(name, other) for name, other, _ in needs])
        circle = {name: index for index, found in enumerate(nx.strongly_connected_components(graph))
                  for name in found}  # fmt: skip
        for name, other, part in needs:
            if circle[name] == circle[other]:
                said = self.messages[name].fields[part]
                said["type"] = f"optional {other}"
                if said.get("rules", {}).pop("required", False):
                    self.losses.tell(NEVER_ENDS, self.messages[name].places[part])
                if not said.get("rules", True):
                    del said["rules"]
