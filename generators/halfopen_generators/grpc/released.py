"""What a package promises as it is released: names, numbers, types and options, read from its descriptors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from halfopen_generators.grpc.option_text import OptionReader, quoted

if TYPE_CHECKING:
    from google.protobuf.descriptor_pb2 import DescriptorProto, EnumDescriptorProto, FileDescriptorProto, SourceCodeInfo
    from google.protobuf.descriptor_pb2 import FieldDescriptorProto as Field
    from google.protobuf.message import Message

    from halfopen_generators.grpc.plan import Span
    from halfopen_generators.grpc.previous import Protos

# A range as wide was never given out number by number: it keeps others away.
_WIDE = 1_000
# The numbers of the fields of a descriptor, of which the paths of source locations are made.
_FILE_MESSAGE, _FILE_ENUM, _FILE_SERVICE, _FILE_EXTENSION = 4, 5, 6, 7
_MESSAGE_FIELD, _MESSAGE_NESTED, _MESSAGE_ENUM, _MESSAGE_ONEOF = 2, 3, 4, 8
_MEMBER = 2  # a value of an enum, a method of a service
# What is said elsewhere in a spec.
_OF_METHODS = frozenset({"idempotency_level"})


@dataclass(frozen=True)
class Released:
    """The numbers by name that a message or an enum gave out, and those that it took back."""

    numbers: Mapping[str, int] = field(default_factory=dict)
    reserved: tuple[Span, ...] = ()
    reserved_names: tuple[str, ...] = ()
    optional: frozenset[str] = frozenset()  # the fields whose absence is told from zero
    aliases: bool = False  # whether an enum may have two names for one number

    @property
    def highest(self) -> int:
        """The highest number that was ever given out; a range that is reserved up to the end is no such number."""
        ends = (last for first, last in self.reserved if last - first < _WIDE)
        return max((*self.numbers.values(), *ends), default=0)

    def behind(self, number: int) -> int:
        """That number, or the first one behind the numbers that are not to be used again."""
        for first, last in sorted(self.reserved):
            if first <= number <= last:
                number = last + 1
        return number


@dataclass(frozen=True)
class Element:
    """Where a released element stands, and what its file says of it beyond names, numbers and types.

    `options` are spelled as in the file; the line is counted from 1, and 0 where it isn't known.
    """

    file: str
    line: int
    comment: str
    options: tuple[str, ...]


@dataclass(frozen=True)
class Extension:
    """A field that a file adds to a message of another package, as custom options are. Types are full names."""

    extended: str
    name: str
    number: int
    label: Literal["", "optional", "repeated"]
    type: str
    element: Element


@dataclass(frozen=True)
class ReleasedFile:
    """A file of the package: its options, and what it passes on to those who import it."""

    name: str
    options: tuple[str, ...]
    public: tuple[str, ...]
    extensions: tuple[Extension, ...] = ()


@dataclass(frozen=True)
class Previous:
    """The package as it is released. `image` is its FileDescriptorSet, with what it imports.

    `elements` are known by their names within the package, such as Order.total; `types` are the messages and enums
    of all files by their full names, with the file of each; `texts` are the files as they were found, where they were
    found as texts; `option_files` the files that define custom options, by the option. `start` before a file's name
    makes it the path of the file as the user would write it.
    """

    given: str
    image: bytes
    start: str
    descriptors: tuple[FileDescriptorProto, ...]
    files: tuple[ReleasedFile, ...]
    messages: Mapping[str, Released]
    enums: Mapping[str, Released]
    services: tuple[str, ...]
    requests: Mapping[tuple[str, str], tuple[str, str]]  # service and rpc to the messages it takes and gives
    elements: Mapping[str, Element]
    types: Mapping[str, str]
    option_files: Mapping[str, str]
    texts: Mapping[str, str]

    @cached_property
    def names(self) -> frozenset[str]:
        """What the elements are called, without what they stand in."""
        return frozenset(name.rpartition(".")[2] for name in self.elements)


def released(found: Protos, package: str) -> Previous:
    """What the files of that package promise."""
    every = found.files
    files = [file for file in every if file.package == package]
    options = OptionReader(every)
    elements = {name: element for file in files for name, element in _Elements.of(file, options).every()}
    services = [service for file in files for service in file.service]
    return Previous(
        given=found.given,
        image=found.image,
        start=found.start,
        descriptors=tuple(files),
        files=tuple(
            ReleasedFile(
                file.name,
                options.told(file.options),
                tuple(file.dependency[index] for index in file.public_dependency),
                tuple(_Elements.of(file, options).extensions()),
            )
            for file in files
        ),
        messages={name: _message(found) for file in files for name, found in messages(file.message_type)},
        enums={name: _enum(found) for file in files for name, found in enums(file)},
        services=tuple(service.name for service in services),
        requests={
            (service.name, method.name): (method.input_type.lstrip("."), method.output_type.lstrip("."))
            for service in services
            for method in service.method
        },
        elements=elements,
        types={full: file.name for file in every for full in full_names(file)},
        option_files=options.imports,
        texts=found.texts,
    )


def messages(found: Sequence[DescriptorProto], within: str = "") -> Iterator[tuple[str, DescriptorProto]]:
    """The messages, nested ones too, by their names within the package; without the entries of maps."""
    for message in found:
        if not message.options.map_entry:
            name = f"{within}{message.name}"
            yield name, message
            yield from messages(message.nested_type, f"{name}.")


def enums(file: FileDescriptorProto) -> Iterator[tuple[str, EnumDescriptorProto]]:
    """The enums, nested ones too, by their names within the package."""
    yield from ((enum.name, enum) for enum in file.enum_type)
    for name, message in messages(file.message_type):
        yield from ((f"{name}.{enum.name}", enum) for enum in message.enum_type)


def full_names(file: FileDescriptorProto) -> Iterator[str]:
    """The full names of the file's messages and enums."""
    start = f"{file.package}." if file.package else ""
    yield from (f"{start}{name}" for name, _ in messages(file.message_type))
    yield from (f"{start}{name}" for name, _ in enums(file))


def default_json_name(name: str) -> str:
    """What a field is called in JSON if nothing else is said, as the Protobuf compiler makes it."""
    first, *rest = name.split("_")
    return first + "".join(part[:1].upper() + part[1:] for part in rest)


def _message(found: DescriptorProto) -> Released:
    # The end of a message's range is the first number behind it, that of an enum's is its last.
    spans = tuple((span.start, span.end - 1) for span in found.reserved_range)
    optional = frozenset(part.name for part in found.field if part.proto3_optional)
    return Released({part.name: part.number for part in found.field}, spans, tuple(found.reserved_name), optional)


def _enum(found: EnumDescriptorProto) -> Released:
    spans = tuple((span.start, span.end) for span in found.reserved_range)
    numbers = {value.name: value.number for value in found.value}
    return Released(numbers, spans, tuple(found.reserved_name), aliases=found.options.allow_alias)


@dataclass(frozen=True)
class _Elements:
    """The elements of a file, each found by the path that its source location bears."""

    file: FileDescriptorProto
    options: OptionReader
    places: Mapping[tuple[int, ...], SourceCodeInfo.Location]

    @classmethod
    def of(cls, file: FileDescriptorProto, options: OptionReader) -> _Elements:
        return cls(file, options, {tuple(each.path): each for each in file.source_code_info.location})

    def extensions(self) -> Iterator[Extension]:
        for index, part in enumerate(self.file.extension):
            label: Literal["", "optional", "repeated"] = "optional" if part.proto3_optional else ""
            if part.label == part.LABEL_REPEATED:
                label = "repeated"
            kind = part.type_name.lstrip(".") or part.Type.Name(part.type).removeprefix("TYPE_").lower()
            own = self._one((_FILE_EXTENSION, index), part.options, more=_json_name(part))
            yield Extension(part.extendee.lstrip("."), part.name, part.number, label, kind, own)

    def every(self) -> Iterator[tuple[str, Element]]:
        for index, message in enumerate(self.file.message_type):
            yield from self._message("", (_FILE_MESSAGE, index), message)
        for index, enum in enumerate(self.file.enum_type):
            yield from self._enum("", (_FILE_ENUM, index), enum)
        for index, service in enumerate(self.file.service):
            yield service.name, self._one((_FILE_SERVICE, index), service.options)
            for number, method in enumerate(service.method):
                own = self._one((_FILE_SERVICE, index, _MEMBER, number), method.options, but=_OF_METHODS)
                yield f"{service.name}.{method.name}", own

    def _one(
        self, path: tuple[int, ...], told: Message, *, more: tuple[str, ...] = (), but: frozenset[str] = frozenset()
    ) -> Element:
        place = self.places.get(path)
        comment = place.leading_comments or place.trailing_comments if place else ""
        line = place.span[0] + 1 if place else 0
        return Element(self.file.name, line, comment, (*more, *self.options.told(told, but=but)))

    def _message(self, within: str, path: tuple[int, ...], found: DescriptorProto) -> Iterator[tuple[str, Element]]:
        name = f"{within}{found.name}"
        yield name, self._one(path, found.options)
        for index, part in enumerate(found.field):
            own = self._one((*path, _MESSAGE_FIELD, index), part.options, more=_json_name(part))
            yield f"{name}.{part.name}", own
        for index, group in enumerate(found.oneof_decl):
            yield f"{name}.{group.name}", self._one((*path, _MESSAGE_ONEOF, index), group.options)
        for index, enum in enumerate(found.enum_type):
            yield from self._enum(f"{name}.", (*path, _MESSAGE_ENUM, index), enum)
        for index, inner in enumerate(found.nested_type):
            if not inner.options.map_entry:
                yield from self._message(f"{name}.", (*path, _MESSAGE_NESTED, index), inner)

    def _enum(self, within: str, path: tuple[int, ...], found: EnumDescriptorProto) -> Iterator[tuple[str, Element]]:
        name = f"{within}{found.name}"
        yield name, self._one(path, found.options)
        for index, value in enumerate(found.value):
            yield f"{name}.{value.name}", self._one((*path, _MEMBER, index), value.options)


def _json_name(part: Field) -> tuple[str, ...]:
    own = part.json_name
    return (f"json_name = {quoted(own)}",) if own and own != default_json_name(part.name) else ()
