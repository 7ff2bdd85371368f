"""Messages and enums: which fields and values there are, their types, presence, numbers and comments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from halfopen.protobuf import field_type
from halfopen.source import Location
from halfopen.templates import words
from halfopen.vocabulary import Decision
from halfopen_generators.grpc.field_rules import rule_options
from halfopen_generators.grpc.foreign import spelled
from halfopen_generators.grpc.numbers import Wanted, field_numbers, reserve, value_numbers
from halfopen_generators.grpc.option_text import quoted
from halfopen_generators.grpc.plan import EnumPlan, FieldPlan, MessagePlan, ValuePlan
from halfopen_generators.grpc.policy import policy
from halfopen_generators.grpc.references import fields, value_name
from halfopen_generators.grpc.released import Previous, Released
from halfopen_generators.grpc.spec import FieldSpec, GrpcSpec, MessageSpec
from halfopen_generators.grpc.types import SCALARS

LAW_OF_BOUNDARIES = 3
LAW_OF_FALLACIES = 1
PAGE_REQUEST = (("page_size", "int32"), ("page_token", "string"))
PAGE_RESPONSE = (("next_page_token", "string"),)
_PAGE_COMMENTS = {
    "page_size": "How many to answer with at most; the server may answer with fewer, and chooses if this is 0.",
    "page_token": "Where to go on: the next_page_token of the page before; empty for the first page.",
    "next_page_token": "What to ask the next page with; empty on the last one.",
}


@dataclass
class Elements:
    """Makes messages and enums, and gathers what it decided on the way."""

    spec: GrpcSpec
    base: Previous | None  # whose names, numbers and options are kept
    decided: list[Decision] = field(default_factory=list)

    def comment(self, element: str, otherwise: str) -> tuple[str, ...]:
        """The lines of an element's comment: the spec's own, or what its name says."""
        return comment_lines(self.spec.comments.get(element, "")) or (otherwise,)

    def options(self, element: str, *own: str) -> tuple[str, ...]:
        """The options of an element: its own, and of those it is released with what it doesn't say itself."""
        kept = self.base.elements.get(element) if self.base else None
        said = {each.partition(" = ")[0] for each in own}
        return (*(each for each in (kept.options if kept else ()) if each.partition(" = ")[0] not in said), *own)

    def spelled(self, name: str, scope: str = "") -> str:
        """A type as Protobuf has to spell it in that message."""
        # Where nothing stands within a message, nothing in it can hide what stands outside.
        return spelled(name, self.spec.package, scope if self._nests else "", self._local)

    @cached_property
    def _nests(self) -> bool:
        return any("." in name for name in self._local)

    @cached_property
    def _local(self) -> frozenset[str]:
        return frozenset({*self.spec.messages, *self.spec.enums})

    def message(
        self,
        name: str,
        body: MessageSpec,
        location: Location,
        otherwise: str,
        *,
        more: tuple[tuple[str, str], ...] = (),
        partial: bool = False,
    ) -> MessagePlan:
        """A message; `more` are fields that it has to have, `partial` that a field left out means no change."""
        of = ".".join(str(part) for part in location[1:])
        asked = [(str(path[-1]), group, part) for path, group, part in fields(body)]
        known = {part for part, _, _ in asked}
        asked += [(part, None, FieldSpec(type=kind)) for part, kind in more if part not in known]
        released = self.base.messages.get(name) if self.base else None
        if partial:
            asked = [(part, group, self._presence(part, group, each, released)) for part, group, each in asked]
            changed = [part for part, _, each in asked if each.type.startswith("optional ")]
            self._decide_presence(location, changed)
        wanted = [
            Wanted(part, each.number, each.hot, field_type(each.type).label in {"repeated", "map"})
            for part, _, each in asked
        ]
        numbers = field_numbers(wanted, released)
        if released is None and len(wanted) > policy().numbers.one_byte.value:
            self._decide_numbers(location)
        plans = [self._field(name, of, part, group, each, numbers[part]) for part, group, each in asked]
        groups = {group: self.comment(f"{of}.{group}", f"{phrase(group)}: at most one.") for group in body.oneof}
        spans, names = reserve(released, numbers)
        return MessagePlan(
            name=name,
            comment=self.comment(of if location[0] == "messages" else "", otherwise),
            location=location,
            fields=tuple(sorted(plans, key=lambda plan: plan.number)),
            oneofs=groups,
            reserved=spans,
            reserved_names=names,
            options=self.options(name),
            oneof_options={group: self.options(f"{name}.{group}") for group in body.oneof},
        )

    def _field(self, message: str, of: str, name: str, group: str | None, asked: FieldSpec, number: int) -> FieldPlan:
        kind = field_type(asked.type)
        otherwise = _PAGE_COMMENTS.get(name, f"{phrase(name)}{_SEVERAL.get(kind.label, '')}.")
        return FieldPlan(
            name=name,
            number=number,
            asked=kind.spelled(kind.name).replace(", ", ","),
            type=kind.spelled(self.spelled(kind.name, message)),
            comment=self.comment(f"{of}.{name}", otherwise),
            oneof=group,
            hot=asked.hot,
            json_name=asked.json_name,
            rules=asked.rules,
            options=self.options(
                f"{message}.{name}", *_json_name(asked), *rule_options(asked, is_enum=kind.name in self.spec.enums)
            ),
        )

    def _presence(self, name: str, group: str | None, asked: FieldSpec, released: Released | None) -> FieldSpec:
        if released is not None and name in released.numbers and name not in released.optional:
            # As it is released; to tell its absence now would break code that is generated anew.
            return asked
        kind = field_type(asked.type)
        names = name.endswith("_id") or name in {"id", "name", "parent", *policy().fields.request_id}
        if group or kind.label or names or kind.name not in {*SCALARS, *self.spec.enums}:
            return asked
        return asked.model_copy(update={"type": f"optional {asked.type.strip()}"})

    def _decide_presence(self, location: Location, changed: list[str]) -> None:
        if changed:
            self.decided.append(
                Decision(
                    about=f"{'.'.join(map(str, location))}.presence",
                    choice=f"optional: {', '.join(changed)}",
                    because="The rpc changes a part of what is there: a field left out has to be told from one that "
                    "is set to zero or empty.",
                    instead_of=("no presence: zero and empty would mean no change", "a field_mask"),
                    law=LAW_OF_FALLACIES,
                )
            )

    def _decide_numbers(self, location: Location) -> None:
        most = policy().numbers.one_byte.value
        self.decided.append(
            Decision(
                about=f"{'.'.join(map(str, location))}.numbers",
                choice=f"1 to {most} for hot fields, then for repeated ones",
                because="These numbers take one byte and all above take two: hot fields come first, then repeated "
                f"ones, which pay for every item. {policy().numbers.one_byte.source}",
                instead_of=("numbers in the order of the spec",),
                law=LAW_OF_FALLACIES,
            )
        )

    def enum(self, name: str) -> EnumPlan:
        """An enum of the spec with its zero."""
        asked = self.spec.enums[name]
        released = self.base.enums.get(name) if self.base else None
        known = released.numbers if released else {}
        own = name.rpartition(".")[2]
        # A value that is released without the prefix keeps its name: another one would break JSON and code.
        given = {value: value if value in known else value_name(own, value) for value in asked}
        zero = value_name(own, "UNSPECIFIED")
        numbered = {given[value]: number for value, number in asked.items()} if isinstance(asked, Mapping) else {}
        if 0 in numbered.values():
            zero = next(spelt for spelt, number in numbered.items() if number == 0)
        elif 0 in known.values():
            zero = next(spelt for spelt, number in known.items() if number == 0)
        names = [spelt for spelt in given.values() if spelt != zero]
        numbers = {zero: 0, **value_numbers(names, numbered, released)}
        spelt_to_asked = {spelt: value for value, spelt in given.items()}
        spans, reserved_names = reserve(released, numbers)
        if zero not in spelt_to_asked:
            self.decided.append(
                Decision(
                    about=f"enums.{name}.zero",
                    choice="..._UNSPECIFIED = 0 before the values of the spec",
                    because="Zero is what a field holds that nobody set: it must not mean one of the values.",
                    instead_of=("the first value of the spec as 0",),
                    law=LAW_OF_FALLACIES,
                )
            )
        return EnumPlan(
            name=name,
            comment=self.comment(name, f"{phrase(own)}."),
            values=tuple(
                self._value(name, spelt, number, spelt_to_asked.get(spelt, ""))
                for spelt, number in sorted(numbers.items(), key=_zero_first)
            ),
            reserved=spans,
            reserved_names=reserved_names,
            options=tuple(
                # The compiler wants it where two names share a number, and nowhere else.
                each
                for each in self.options(name)
                if each != _ALIASES or len({*numbers.values()}) < len(numbers)
            ),
        )

    def _value(self, enum: str, name: str, number: int, asked: str) -> ValuePlan:
        own = enum.rpartition(".")[2]
        otherwise = "Not set." if number == 0 else f"{phrase(name.removeprefix(value_name(own, '')))}."
        return ValuePlan(
            name,
            number,
            asked,
            self.comment(f"{enum}.{asked}", otherwise),
            released_as_is=name != value_name(own, name),
            options=self.options(f"{enum}.{name}"),
        )


_ALIASES = "allow_alias = true"
_SEVERAL = {"repeated": ", any number of them", "map": ", by key", "optional": ", if it is known"}


def _zero_first(entry: tuple[str, int]) -> tuple[bool, int]:
    # As Protobuf demands; below zero is whatever should never have been there.
    return entry[1] != 0, entry[1]


def _json_name(asked: FieldSpec) -> tuple[str, ...]:
    return (f"json_name = {quoted(asked.json_name)}",) if asked.json_name is not None else ()


def phrase(name: str) -> str:
    """A name as the words of a sentence."""
    text = " ".join(words(name))
    return text[:1].upper() + text[1:]


def comment_lines(text: str) -> tuple[str, ...]:
    """The text as lines of a comment, without what a comment can't hold."""
    lines = ["".join(letter if letter.isprintable() else " " for letter in line).strip() for line in text.splitlines()]
    while lines and not lines[-1]:
        lines.pop()
    while lines and not lines[0]:
        lines.pop(0)
    return tuple(lines)
