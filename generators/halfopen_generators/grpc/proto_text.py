"""A .proto file as text, laid out as buf formats it.

Written here and not by a template, as an exception: every check waits for this text, and to read a template and fill
it in takes several times as long.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from halfopen.durations import spell_duration
from halfopen_generators.grpc.plan import (
    EnumPlan,
    ExtensionPlan,
    FieldPlan,
    FilePlan,
    MessagePlan,
    MethodPlan,
    ServicePlan,
    Span,
    ValuePlan,
)
from halfopen_generators.grpc.spec import Idempotency

_LEVELS: Mapping[Idempotency, str] = {"no-side-effects": "NO_SIDE_EFFECTS", "idempotent": "IDEMPOTENT"}
PROMISES: Mapping[Idempotency | None, str] = {
    "no-side-effects": "Changes nothing; may be repeated.",
    "idempotent": "A second call changes nothing more; may be repeated.",
    "non-idempotent": "A second call acts again: never repeat it unasked.",
    None: "What a second call does is not known: never repeat it unasked.",
}
# Every long-running rpc answers with the same message of Google's, which buf takes for a fault.
_OPERATION_IGNORES = ("buf:lint:ignore RPC_REQUEST_RESPONSE_UNIQUE", "buf:lint:ignore RPC_RESPONSE_STANDARD_NAME")
_HIGHEST = 536_870_911
_HIGHEST_VALUE = 2_147_483_647
_STEP = "  "


def proto_text(head: str, package: str, file: FilePlan) -> str:
    """The text of a file of that package; `head` is the comment at its top."""
    parts = [f'// {head}\nsyntax = "proto3";\n\npackage {package};\n']
    imports = sorted([*((name, "") for name in file.imports), *((name, "public ") for name in file.public)])
    parts += _block(f'import {kind}"{name}";\n' for name, kind in imports)
    # As buf format sorts them: Protobuf's own first.
    options = sorted(file.options, key=lambda text: (text.startswith("("), text.partition(" = ")[0]))
    parts += _block(f"option {text};\n" for text in options)
    nested = _Nested(file)
    for found in (
        *(_extension(extension) for extension in file.extensions),
        *(_service(service) for service in file.services),
        *(_message(message, "", nested) for message in nested.messages.get("", ())),
        *(_enum(enum, "") for enum in nested.enums.get("", ())),
    ):
        parts.append("\n")
        parts += found
    return "".join(parts)


def rpc_notes(rpc: MethodPlan) -> tuple[str, ...]:
    """What a caller has to know beyond the types, a line each."""
    found = [f"Deadline: {spell_duration(rpc.deadline)}.", PROMISES[rpc.idempotency]]
    if rpc.errors:
        found.append(f"Errors: {', '.join(rpc.errors)}.")
    if rpc.streams and rpc.resumable:
        found.append("Flow: a slow receiver holds the sender back. Resume a broken stream with the last token seen.")
    elif rpc.streams:
        found.append("Flow: a slow receiver holds the sender back. A broken stream starts from nothing.")
    return tuple(found)


class _Nested:
    """What stands in the file itself (""), and in each of its messages."""

    def __init__(self, file: FilePlan) -> None:
        self.messages: dict[str, list[MessagePlan]] = defaultdict(list)
        self.enums: dict[str, list[EnumPlan]] = defaultdict(list)
        for message in file.messages:
            self.messages[message.name.rpartition(".")[0]].append(message)
        for enum in file.enums:
            self.enums[enum.name.rpartition(".")[0]].append(enum)


def _block(lines: Iterable[str]) -> list[str]:
    """The lines with an empty one before them; nothing if there are none."""
    found = list(lines)
    return ["\n", *found] if found else []


def _sections(sections: Iterable[Iterable[str]]) -> Iterator[str]:
    """What stands between braces: those of the sections that hold anything, with an empty line between two."""
    first = True
    for section in sections:
        for number, text in enumerate(section):
            if number == 0 and not first:
                yield "\n"
            first = False
            yield text


def _comment(lines: Iterable[str], indent: str) -> str:
    return "".join([f"{f'{indent}// {line}'.rstrip()}\n" for line in lines])


def _option(text: str, indent: str) -> str:
    return f"{indent}option {_hanging(text, indent)};\n"


def _hanging(text: str, indent: str) -> str:
    """The text with all lines but the first moved to the right."""
    if "\n" not in text:
        return text
    first, *rest = text.splitlines()
    return "\n".join([first, *(f"{indent}{line}" if line else line for line in rest)])


def _bracketed(options: Sequence[str], indent: str) -> str:
    if not options:
        return ""
    if len(options) == 1:
        return f" [{_hanging(options[0], indent)}]"
    inner = f"{indent}{_STEP}"
    return " [\n" + ",\n".join([f"{inner}{_hanging(text, inner)}" for text in options]) + f"\n{indent}]"


def _extension(extension: ExtensionPlan) -> Iterator[str]:
    yield f"extend {extension.extended} {{\n"
    yield from (_field(field, _STEP) for field in extension.fields)
    yield "}\n"


def _service(service: ServicePlan) -> Iterator[str]:
    yield _comment(service.comment, "")
    if not service.methods and not service.options:
        yield f"service {service.name} {{}}\n"
        return
    yield f"service {service.name} {{\n"
    options = [_option(text, _STEP) for text in service.options]
    yield from _sections((options, map(_rpc, service.methods)))
    yield "}\n"


def _rpc(rpc: MethodPlan) -> str:
    notes = (*rpc.comment, "", *rpc_notes(rpc), *(_OPERATION_IGNORES if rpc.finishes else ()))
    takes = f"stream {rpc.takes}" if rpc.kind in {"client-stream", "bidi"} else rpc.takes
    gives = f"stream {rpc.gives}" if rpc.kind in {"server-stream", "bidi"} else rpc.gives
    start = f"{_comment(notes, _STEP)}  rpc {rpc.name}({takes}) returns ({gives})"
    level = _LEVELS.get(rpc.idempotency) if rpc.idempotency else None
    options = (*((f"idempotency_level = {level}",) if level else ()), *rpc.options)
    if not options:
        return f"{start};\n"
    return f"{start} {{\n{''.join([_option(text, _STEP * 2) for text in options])}  }}\n"


def _message(message: MessagePlan, indent: str, nested: _Nested) -> Iterator[str]:
    yield _comment(message.comment, indent)
    start = f"{indent}message {message.name.rpartition('.')[2]} {{"
    inner = f"{indent}{_STEP}"
    messages = [("".join(_message(each, inner, nested)),) for each in nested.messages.get(message.name, ())]
    enums = [("".join(_enum(each, inner)),) for each in nested.enums.get(message.name, ())]
    reserved = _reserved(message.reserved, message.reserved_names, _HIGHEST, inner)
    options = [_option(text, inner) for text in message.options]
    if not (message.fields or messages or enums or reserved or options):
        yield f"{start}}}\n"
        return
    yield f"{start}\n"
    yield from _sections((reserved, options, *enums, *messages, _fields(message, inner)))
    yield f"{indent}}}\n"


def _fields(message: MessagePlan, indent: str) -> Iterator[str]:
    """The fields by number, those of a oneof together where its first one stands."""
    told = set()
    for part in message.fields:
        if (group := part.oneof) is None:
            yield _field(part, indent)
        elif group not in told:
            told.add(group)
            inner = f"{indent}{_STEP}"
            yield f"{_comment(message.oneofs[group], indent)}{indent}oneof {group} {{\n"
            yield from (_option(text, inner) for text in message.oneof_options.get(group, ()))
            yield from (_field(each, inner) for each in message.fields if each.oneof == group)
            yield f"{indent}}}\n"


def _field(field: FieldPlan, indent: str) -> str:
    brackets = _bracketed(field.options, indent)
    return f"{_comment(field.comment, indent)}{indent}{field.type} {field.name} = {field.number}{brackets};\n"


def _enum(enum: EnumPlan, indent: str) -> Iterator[str]:
    inner = f"{indent}{_STEP}"
    yield f"{_comment(enum.comment, indent)}{indent}enum {enum.name.rpartition('.')[2]} {{\n"
    reserved = _reserved(enum.reserved, enum.reserved_names, _HIGHEST_VALUE, inner)
    options = [_option(text, inner) for text in enum.options]
    yield from _sections((reserved, options, (_value(value, inner) for value in enum.values)))
    yield f"{indent}}}\n"


def _value(value: ValuePlan, indent: str) -> str:
    # A released name stays, whatever the lint rule says of it.
    comment = (*value.comment, *(("buf:lint:ignore ENUM_VALUE_PREFIX",) if value.released_as_is else ()))
    return f"{_comment(comment, indent)}{indent}{value.name} = {value.number}{_bracketed(value.options, indent)};\n"


def _reserved(spans: tuple[Span, ...], names: tuple[str, ...], highest: int, indent: str) -> list[str]:
    numbers = [
        str(first) if first == last else f"{first} to {'max' if last >= highest else last}" for first, last in spans
    ]
    quoted = [f'"{name}"' for name in names]
    return [f"{indent}reserved {', '.join(each)};\n" for each in (numbers, quoted) if each]
