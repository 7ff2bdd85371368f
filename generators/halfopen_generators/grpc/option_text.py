"""Protobuf options as a `.proto` file spells them, laid out as `buf format` does."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from google.protobuf.descriptor import FieldDescriptor
    from google.protobuf.descriptor_pb2 import FileDescriptorProto
    from google.protobuf.message import Message

_DESCRIPTOR = "google/protobuf/descriptor.proto"
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}


class OptionReader:
    """Reads options with the extensions that a set of files defines."""

    def __init__(self, files: Iterable[FileDescriptorProto]) -> None:
        from google.protobuf import descriptor_pb2  # noqa: PLC0415 - 20 ms that only released versions need
        from google.protobuf.descriptor_pool import DescriptorPool  # noqa: PLC0415 - the same

        self._pool = DescriptorPool()
        known = list(files)
        if _DESCRIPTOR not in {file.name for file in known}:
            own = descriptor_pb2.FileDescriptorProto()
            descriptor_pb2.DESCRIPTOR.CopyToProto(own)
            self._pool.Add(own)
        for file in known:
            self._pool.Add(file)
        # The files that define the options which were seen: whoever spells them has to import these.
        self.imports: dict[str, str] = {}

    def told(self, options: Message, *, but: frozenset[str] = frozenset()) -> tuple[str, ...]:
        """Each option as `name = value`, of which the value may run over several lines; `but` names some to skip."""
        from google.protobuf.message_factory import GetMessageClass  # noqa: PLC0415 - see above

        if not options.ByteSize():
            return ()
        kind = GetMessageClass(self._pool.FindMessageTypeByName(options.DESCRIPTOR.full_name))
        return tuple(self._told(kind.FromString(options.SerializeToString(deterministic=True)), but))

    def _told(self, options: Message, but: frozenset[str]) -> Iterator[str]:
        for field, value in options.ListFields():
            if field.name in but and not field.is_extension:
                continue
            name = f"({field.full_name})" if field.is_extension else field.name
            if field.is_extension:
                self.imports[name] = str(field.file.name)  # type: ignore[attr-defined]  # the stubs lack it
            for one in value if field.is_repeated else (value,):
                yield f"{name} = {_value(field, one)}"


def literal(value: object) -> str:
    """A plain value as Protobuf spells it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, float):
        return "nan" if math.isnan(value) else repr(value).removesuffix(".0")
    return str(value)


def quoted(text: str) -> str:
    """A text in quotes."""
    return f'"{"".join(_ESCAPES.get(letter) or _escaped(letter) for letter in text)}"'


def _escaped(letter: str) -> str:
    return letter if letter.isprintable() else "".join(f"\\{byte:03o}" for byte in letter.encode())


def block(entries: Iterable[str]) -> str:
    """A message of those `name: value` entries: on one line if there is one that holds no message itself."""
    lines = list(entries)
    if len(lines) == 1 and not lines[0].endswith("}"):
        return f"{{{lines[0]}}}"
    inner = "\n".join(f"  {line}" for entry in lines for line in entry.splitlines())
    return f"{{\n{inner}\n}}" if lines else "{}"


def _value(field: FieldDescriptor, value: Any) -> str:
    if field.message_type is not None:
        return block(_entries(value))
    if field.enum_type is not None:
        named = field.enum_type.values_by_number.get(value)
        return named.name if named else str(value)
    if isinstance(value, bytes):
        return '"' + "".join(map(_byte, value)) + '"'
    return literal(value)


def _byte(byte: int) -> str:
    letter = chr(byte)
    return letter if letter.isascii() and letter.isprintable() and letter not in _ESCAPES else f"\\{byte:03o}"


def _entries(message: Message) -> Iterator[str]:
    for field, value in message.ListFields():
        name = f"[{field.full_name}]" if field.is_extension else field.name
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            key, held = field.message_type.fields
            for each in value:
                parts = (f"key: {_value(key, each)}", f"value: {_value(held, value[each])}")
                yield f"{name}: {block(parts)}"
            continue
        for one in value if field.is_repeated else (value,):
            yield f"{name}: {_value(field, one)}"
