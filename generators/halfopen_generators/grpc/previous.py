"""The released version: read from a folder of .proto files or a descriptor set, compiled, and what it promises."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from halfopen.checkers import programs
from halfopen.source import BadInput, Source, open_regular

if TYPE_CHECKING:
    from google.protobuf.descriptor_pb2 import DescriptorProto, EnumDescriptorProto, FileDescriptorProto

    from halfopen_generators.grpc.plan import Span

MAX_FILES = 2_000
MAX_BYTES = 16 * 1_048_576
_PLACE = ("previous",)
# A range as wide was never given out number by number: it keeps others away.
_WIDE = 1_000


@dataclass(frozen=True)
class Released:
    """The numbers by name that a message or an enum gave out, and those that it took back."""

    numbers: Mapping[str, int] = field(default_factory=dict)
    reserved: tuple[Span, ...] = ()
    reserved_names: tuple[str, ...] = ()
    optional: frozenset[str] = frozenset()  # the fields whose absence is told from zero

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
class Previous:
    """The package as it is released. `image` is its FileDescriptorSet, with what it imports."""

    given: str
    image: bytes
    files: tuple[str, ...]
    messages: Mapping[str, Released]
    enums: Mapping[str, Released]
    services: tuple[str, ...]
    requests: Mapping[tuple[str, str], tuple[str, str]]  # service and rpc to the messages it takes and gives


def read_previous(given: str, package: str, source: Source) -> Previous:
    """The released version of that package.

    Raises:
        BadInput: it can't be read or compiled, lies outside the caller's folders, or doesn't hold the package.
    """
    from google.protobuf.descriptor_pb2 import FileDescriptorSet  # noqa: PLC0415 - 20 ms that only this needs
    from google.protobuf.message import DecodeError  # noqa: PLC0415 - the same

    path = source.inside(_PLACE, given)
    if path.is_dir():
        image = _compiled(path, given, source)
    elif path.is_file():
        image = _bytes(path, given, source)
    else:
        raise BadInput([source.problem(_PLACE, f"there is no folder and no file {given!r}.")])
    try:
        found = FileDescriptorSet.FromString(image)
    except DecodeError:
        message = f"{given!r} is no descriptor set: make one with `buf build -o released.binpb`, or name a folder."
        raise BadInput([source.problem(_PLACE, message)]) from None
    files = [file for file in found.file if file.package == package]
    if not files:
        legal = sorted({file.package for file in found.file if not file.package.startswith("google.")})
        message = f"the package {package} is not in {given!r}."
        raise BadInput([source.problem(_PLACE, message, package, legal)])
    return _previous(given, image, files, source)


def _previous(given: str, image: bytes, files: list[FileDescriptorProto], source: Source) -> Previous:
    enums = [enum for file in files for enum in file.enum_type]
    if aliased := [enum.name for enum in enums if enum.options.allow_alias]:
        message = f"the enum {aliased[0]} of {given!r} has two names for one number (allow_alias), which can't be kept."
        raise BadInput([source.problem(_PLACE, message)])
    services = [service for file in files for service in file.service]
    return Previous(
        given=given,
        image=image,
        files=tuple(file.name for file in files),
        messages={message.name: _message(message) for file in files for message in file.message_type},
        enums={enum.name: _enum(enum) for enum in enums},
        services=tuple(service.name for service in services),
        requests={
            (service.name, method.name): (method.input_type.lstrip("."), method.output_type.lstrip("."))
            for service in services
            for method in service.method
        },
    )


def _message(found: DescriptorProto) -> Released:
    # The end of a message's range is the first number behind it, that of an enum's is its last.
    spans = tuple((span.start, span.end - 1) for span in found.reserved_range)
    optional = frozenset(part.name for part in found.field if part.proto3_optional)
    return Released({part.name: part.number for part in found.field}, spans, tuple(found.reserved_name), optional)


def _enum(found: EnumDescriptorProto) -> Released:
    spans = tuple((span.start, span.end) for span in found.reserved_range)
    return Released({value.name: value.number for value in found.value}, spans, tuple(found.reserved_name))


def _bytes(path: Path, given: str, source: Source) -> bytes:
    try:
        with open(path, "rb", opener=open_regular) as stream:
            raw = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise BadInput([source.problem(_PLACE, f"{given!r} can't be read: {error.strerror}.")]) from None
    if len(raw) > MAX_BYTES:
        raise BadInput([source.problem(_PLACE, f"{given!r} holds more than {MAX_BYTES:,} bytes.")])
    return raw


def _compiled(folder: Path, given: str, source: Source) -> bytes:
    """The .proto files of the folder, whose names start there, or in its `proto` where it has one as our answers do."""
    root = folder / "proto" if (folder / "buf.yaml").is_file() and (folder / "proto").is_dir() else folder
    texts: dict[str, str] = {}
    size = 0
    for path in _protos(root):
        name = path.relative_to(root).as_posix()
        # A link that leads out of the caller's folders is refused as the folder itself would be.
        raw = _bytes(source.inside(_PLACE, str(path)), name, source)
        size += len(raw)
        if len(texts) == MAX_FILES or size > MAX_BYTES:
            message = f"{given!r} holds more than {MAX_FILES:,} .proto files or {MAX_BYTES:,} bytes of them."
            raise BadInput([source.problem(_PLACE, message)])
        try:
            texts[name] = raw.decode("utf-8")
        except UnicodeDecodeError:
            raise BadInput([source.problem(_PLACE, f"{name} in {given!r} is not UTF-8 text.")]) from None
    if not texts:
        raise BadInput([source.problem(_PLACE, f"{given!r} holds no .proto file.")])
    for objection in programs.objections(".", texts):
        message = f"{given!r} doesn't compile: {str(objection).rstrip('.')}."
        raise BadInput([source.problem(_PLACE, message)])
    return programs.descriptor_set(".", texts)


def _protos(root: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(place, name) for name in sorted(names) if name.endswith(".proto"))
