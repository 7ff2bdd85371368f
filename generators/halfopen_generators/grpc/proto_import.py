"""A Protobuf package as a spec: what its files say in the spec's words, and what they say that no spec can."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from halfopen.protobuf import upper_snake
from halfopen.source import BadInput, Source
from halfopen.vocabulary import Evidence, Finding, Severity
from halfopen_generators.grpc.codes import finding
from halfopen_generators.grpc.foreign import word_of
from halfopen_generators.grpc.imported import Imported
from halfopen_generators.grpc.methods import page_fields_of
from halfopen_generators.grpc.previous import read_previous
from halfopen_generators.grpc.released import Previous, enums, messages
from halfopen_generators.grpc.types import SCALARS

if TYPE_CHECKING:
    from google.protobuf.descriptor_pb2 import (
        DescriptorProto,
        EnumDescriptorProto,
        MethodDescriptorProto,
    )
    from google.protobuf.descriptor_pb2 import FieldDescriptorProto as Field

_PLACE = ("from_proto",)
_PACKAGE = (2,)  # the path of a file's package in its descriptor
_LEVELS = {1: "no-side-effects", 2: "idempotent"}
# What our own .proto files say below the comment of an rpc; it is made anew.
_DEADLINE = re.compile(r"Deadline: (\d+(?:\.\d+)?(?:ms|s|m|h))\.")
_ERRORS = re.compile(r"Errors: ([A-Z_, ]+)\.")
_NOT_IDEMPOTENT = "A second call acts again: never repeat it unasked."
_NOTES = ("Deadline: ", "Errors: ", "Flow: a slow receiver ", "Changes nothing; may be repeated.",
          "A second call changes nothing more; ", _NOT_IDEMPOTENT,
          "What a second call does is not known: ")  # fmt: skip
_LINT = "buf:lint:ignore "


def read_proto(given: str, package: str, source: Source) -> Imported:
    """The package of the files at that place, in the words of a spec.

    Raises:
        BadInput: it can't be read; see `read_previous`.
    """
    base = read_previous(_PLACE, given, package, source)
    for file in base.descriptors:
        if file.syntax != "proto3":
            syntax = file.syntax or "proto2"
            message = f"{file.name} is {syntax}: only proto3 can be taken over. Its package can still be `previous`."
            raise BadInput([source.problem(_PLACE, message)])
    return imported(base)


def imported(base: Previous) -> Imported:
    """The package in the words of a spec."""
    reader = _Reader(base)
    return Imported(
        given=base.given,
        data=reader.data(),
        unsaid=tuple(reader.unsaid()),
        places=dict(reader.places()),
        base=base,
    )


@dataclass(frozen=True)
class _Reader:
    base: Previous

    def data(self) -> dict[str, Any]:
        inline = self._inline
        return {
            "services": {
                service.name: {method.name: self._method(service.name, method, inline) for method in service.method}
                for file in self.base.descriptors
                for service in file.service
            },
            "messages": {name: self._message(found) for name, found in self._messages.items() if name not in inline},
            "enums": {name: self._enum(name, found) for file in self.base.descriptors for name, found in enums(file)},
            "comments": dict(self._comments(inline)),
        }

    def unsaid(self) -> Iterator[Finding]:
        for file in self.base.descriptors:
            for extension in (each for _, found in messages(file.message_type) for each in found.extension):
                yield finding(
                    "PRT13",
                    f"{file.name} defines the extension {extension.name} within a message, which isn't taken over: the "
                    "package as rendered lacks it.",
                    "Define extensions outside of messages.",
                    Evidence(path="from_proto", file=f"{self.base.start}{file.name}"),
                    severity=Severity.WARNING,
                )

    def places(self) -> Iterator[tuple[tuple[str, ...], Evidence]]:
        kinds = dict.fromkeys(self.base.services, "services")
        kinds |= dict.fromkeys(self.base.messages, "messages") | dict.fromkeys(self.base.enums, "enums")
        inline = self._inline
        first = self.base.descriptors[0]
        line = next(
            (each.span[0] + 1 for each in first.source_code_info.location if tuple(each.path) == _PACKAGE), None
        )
        yield ("package",), Evidence(path="package", file=f"{self.base.start}{first.name}", line=line)
        for name, element in self.base.elements.items():
            holder = next((each for each in (name, name.rpartition(".")[0]) if each in kinds), None)
            if holder is None:
                continue
            evidence = Evidence(path=name, file=f"{self.base.start}{element.file}", line=element.line or None)
            if holder in inline:
                place = ("services", *inline[holder])
                yield (*place, *name.removeprefix(holder).removeprefix(".").split("."))[: len(place) + 1], evidence
            else:
                yield (kinds[holder], *name.split(".")), evidence

    @cached_property
    def _messages(self) -> dict[str, DescriptorProto]:
        return {name: found for file in self.base.descriptors for name, found in messages(file.message_type)}

    @cached_property
    def _inline(self) -> dict[str, tuple[str, str, str]]:
        """The messages that only one rpc uses and that bear its name: which rpc, and which side of it."""
        found = self._messages
        used: Counter[str] = Counter()
        for message in found.values():
            for part in _fields(message):
                used[self._type(part)] += 1
        sides: dict[str, tuple[str, str, str]] = {}
        for file in self.base.descriptors:
            for service in file.service:
                for method in service.method:
                    for side, full in (("request", method.input_type), ("response", method.output_type)):
                        name = self._name(full)
                        used[name] += 1
                        if name in {f"{start}{method.name}{side.capitalize()}" for start in ("", service.name)}:
                            sides[name] = (service.name, method.name, side)
        holders = {name.rpartition(".")[0] for name in (*found, *self.base.enums)}
        several = Counter(method for _, method in self.base.requests)
        return {
            name: place
            for name, place in sides.items()
            # Where several services have an rpc of one name, what is its own bears the service's name too.
            if used[name] == 1 and name in found and name not in holders
            and (several[place[1]] == 1 or name.startswith(place[0]))
        }  # fmt: skip

    def _name(self, full: str) -> str:
        """A type as a spec has it: by its name within the package, a word, or the full name."""
        name = full.lstrip(".")
        if self.base.types.get(name) in {file.name for file in self.base.files}:
            return name.removeprefix(f"{self.base.descriptors[0].package}.")
        return word_of(name)

    def _type(self, part: Field) -> str:
        return self._name(part.type_name) if part.type_name else _scalar(part)

    def _method(self, service: str, method: MethodDescriptorProto, inline: Mapping[str, Any]) -> dict[str, Any]:
        streams = method.client_streaming, method.server_streaming
        kinds = {(False, True): "server-stream", (True, False): "client-stream", (True, True): "bidi"}
        found: dict[str, Any] = {"kind": kinds[streams]} if streams in kinds else {}
        for side, full in (("request", method.input_type), ("response", method.output_type)):
            name = self._name(full)
            found[side] = self._message(self._messages[name]) if name in inline else name
        notes = self.base.elements[f"{service}.{method.name}"].comment.splitlines()
        level = _LEVELS.get(method.options.idempotency_level)
        if level is not None:
            found["idempotency"] = level
        elif any(note.strip() == _NOT_IDEMPOTENT for note in notes):
            found["idempotency"] = "non-idempotent"
        for pattern, key in ((_DEADLINE, "deadline"), (_ERRORS, "errors")):
            match = next((match for note in notes if (match := pattern.fullmatch(note.strip()))), None)
            if match is not None:
                found[key] = match[1] if key == "deadline" else match[1].split(", ")
        if "deadline" in found:
            # The notes are ours, and where none names an error there is none.
            found.setdefault("errors", [])
        if not any(streams):
            # Said either way: pages would be a change, and nobody asked for one yet.
            own = all(isinstance(found[side], dict) for side in ("request", "response"))
            found["paginated"] = own and page_fields_of(found["request"], found["response"])
        return found

    def _message(self, found: DescriptorProto) -> dict[str, Any]:
        entries = {entry.name: entry for entry in found.nested_type if entry.options.map_entry}
        fields: dict[str, Any] = {}
        groups: dict[str, dict[str, Any]] = {}
        for part in found.field:
            said = {"type": self._field_type(part, entries), "number": part.number}
            if part.HasField("oneof_index") and not part.proto3_optional:
                groups.setdefault(found.oneof_decl[part.oneof_index].name, {})[part.name] = said
            else:
                fields[part.name] = said
        return {**fields, "oneof": groups} if groups else fields

    def _field_type(self, part: Field, entries: Mapping[str, DescriptorProto]) -> str:
        if part.label == part.LABEL_REPEATED:
            entry = entries.get(part.type_name.rpartition(".")[2])
            if entry is None:
                return f"repeated {self._type(part)}"
            key, value = entry.field
            return f"map<{self._type(key)},{self._type(value)}>"
        return f"optional {self._type(part)}" if part.proto3_optional else self._type(part)

    def _enum(self, name: str, found: EnumDescriptorProto) -> dict[str, int]:
        return {_asked(name, value.name, found): value.number for value in found.value}

    def _comments(self, inline: Mapping[str, tuple[str, str, str]]) -> Iterator[tuple[str, str]]:
        """What is said of each element, by the name that `comments` knows it by."""
        values = {
            f"{name}.{value.name}": f"{name}.{_asked(name, value.name, found)}"
            for file in self.base.descriptors
            for name, found in enums(file)
            for value in found.value
        }
        for name, element in self.base.elements.items():
            lines = [line.strip() for line in element.comment.splitlines()]
            text = "\n".join(line for line in lines if not line.startswith((*_NOTES, _LINT))).strip()
            outer, _, last = name.rpartition(".")
            if not text or name in inline:
                continue
            yield values.get(name) or (".".join([*inline[outer], last]) if outer in inline else name), text


def _fields(message: DescriptorProto) -> Iterator[Field]:
    yield from message.field
    yield from (part for entry in message.nested_type if entry.options.map_entry for part in entry.field)


def _scalar(part: Field) -> str:
    name = part.Type.Name(part.type).removeprefix("TYPE_").lower()
    return name if name in SCALARS else "bytes"


def _asked(enum: str, value: str, found: EnumDescriptorProto) -> str:
    """A value without the enum's prefix, where the rest still names it."""
    prefix = f"{upper_snake(enum.rpartition('.')[2])}_"
    short = value.removeprefix(prefix)
    others = {other.name for other in found.value}
    return short if short != value and re.fullmatch(r"[A-Z][A-Z0-9_]*", short) and short not in others else value
