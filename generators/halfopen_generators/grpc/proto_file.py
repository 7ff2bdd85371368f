"""The .proto file and the buf.yaml beside it. Values are made here; the templates only lay them out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from halfopen.checkers import programs
from halfopen.checkers.proto_imports import imports as imports_of
from halfopen.durations import spell_duration
from halfopen.templates import environment
from halfopen.vocabulary import Artifact
from halfopen_generators.grpc.plan import (
    PROTO_ROOT,
    Api,
    EnumPlan,
    FieldPlan,
    FilePlan,
    MessagePlan,
    MethodPlan,
    ServicePlan,
    Span,
)
from halfopen_generators.grpc.spec import Idempotency
from halfopen_generators.grpc.types import MODULES

LINT = ("STANDARD", "COMMENTS")
# What follows from `style: aip`: standard methods answer with the resource itself, or with nothing.
AIP_EXCEPTIONS = ("RPC_REQUEST_RESPONSE_UNIQUE", "RPC_RESPONSE_STANDARD_NAME")
_LEVELS: Mapping[Idempotency, str] = {"no-side-effects": "NO_SIDE_EFFECTS", "idempotent": "IDEMPOTENT"}
PROMISES: Mapping[Idempotency | None, str] = {
    "no-side-effects": "Changes nothing; may be repeated.",
    "idempotent": "A second call changes nothing more; may be repeated.",
    "non-idempotent": "A second call acts again: never repeat it unasked.",
    None: "What a second call does is not known: never repeat it unasked.",
}
_PROTO = "text/x-protobuf"
_HIGHEST = 536_870_911
_HIGHEST_VALUE = 2_147_483_647


@dataclass(frozen=True)
class _Part:
    """A field on its own, or the fields of a oneof."""

    fields: tuple[FieldPlan, ...]
    oneof: str | None
    comment: tuple[str, ...]
    options: tuple[str, ...]


def artifacts(api: Api) -> Iterator[Artifact]:
    """The .proto files of the package, those of others that it imports, and buf.yaml."""
    templates = environment("halfopen_generators.grpc")
    for file in api.files:
        nested = _Nested(file)
        text = templates.get_template("proto/api.proto.j2").render(
            file={
                "head": f"{api.name}, as its spec has it. Change the spec, not this file.",
                "package": api.package,
                "imports": sorted(
                    [*((name, "") for name in file.imports), *((name, "public ") for name in file.public)]
                ),
                # As buf format sorts them: Protobuf's own first.
                "options": sorted(file.options, key=lambda text: (text.startswith("("), text.partition(" = ")[0])),
                "extensions": file.extensions,
                "services": [_service(service) for service in file.services],
                "messages": nested.messages(""),
                "enums": nested.enums(""),
            }
        )
        yield Artifact(path=f"{PROTO_ROOT}/{file.path}", media_type=_PROTO, text=text)
    copied = dict(sorted(copies(api).items()))
    yield from (Artifact(path=f"{PROTO_ROOT}/{name}", media_type=_PROTO, text=text) for name, text in copied.items())
    imports = {name for file in api.files for name in (*file.imports, *file.public)} - copied.keys()
    buf = templates.get_template("proto/buf.yaml.j2").render(
        root=PROTO_ROOT,
        deps=[module for module, start in MODULES.items() if any(name.startswith(start) for name in imports)],
        excepted=excepted(api),
    )
    yield Artifact(path="buf.yaml", media_type="application/yaml", text=buf)


def copies(api: Api) -> dict[str, str]:
    """The files of other packages that this one imports and that aren't to be had elsewhere, as they are."""
    texts = api.base.texts if api.base else {}
    own = {file.path for file in api.files}
    wanted = [name for file in api.files for name in (*file.imports, *file.public)]
    found: dict[str, str] = {}
    while wanted:
        name = wanted.pop()
        if name in texts and name not in own and name not in found and not programs.is_known_proto(name):
            found[name] = texts[name]
            wanted.extend(each.name for each in imports_of(texts[name]))
    return found


def excepted(api: Api) -> tuple[str, ...]:
    """The lint rules that the package declares it doesn't follow."""
    return AIP_EXCEPTIONS if api.style == "aip" else ()


def _service(service: ServicePlan) -> dict[str, object]:
    return {
        "name": service.name,
        "comment": service.comment,
        "options": service.options,
        "rpcs": [
            {
                "name": rpc.name,
                "comment": (*rpc.comment, "", *rpc_notes(rpc)),
                "takes": _side(rpc.takes, streams=rpc.kind in {"client-stream", "bidi"}),
                "gives": _side(rpc.gives, streams=rpc.kind in {"server-stream", "bidi"}),
                "options": (*_level(rpc.idempotency), *rpc.options),
            }
            for rpc in service.methods
        ],
    }


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


def _side(name: str, *, streams: bool) -> str:
    return f"{'stream ' if streams else ''}{name}"


def _level(idempotency: Idempotency | None) -> tuple[str, ...]:
    level = _LEVELS.get(idempotency) if idempotency else None
    return (f"idempotency_level = {level}",) if level else ()


class _Nested:
    """What stands in the file itself (""), and in each of its messages."""

    def __init__(self, file: FilePlan) -> None:
        self._messages: dict[str, list[MessagePlan]] = defaultdict(list)
        self._enums: dict[str, list[EnumPlan]] = defaultdict(list)
        for message in file.messages:
            self._messages[message.name.rpartition(".")[0]].append(message)
        for enum in file.enums:
            self._enums[enum.name.rpartition(".")[0]].append(enum)

    def messages(self, within: str) -> list[dict[str, object]]:
        return [_message(message, self) for message in self._messages.get(within, ())]

    def enums(self, within: str) -> list[dict[str, object]]:
        return [_enum(enum) for enum in self._enums.get(within, ())]


def _message(message: MessagePlan, nested: _Nested) -> dict[str, object]:
    groups: dict[str, list[FieldPlan]] = {}
    order: list[FieldPlan | str] = []
    for part in message.fields:
        if part.oneof is None:
            order.append(part)
        else:
            if part.oneof not in groups:
                order.append(part.oneof)
            groups.setdefault(part.oneof, []).append(part)
    parts = [
        _Part(tuple(groups[part]), part, message.oneofs[part], message.oneof_options.get(part, ()))
        if isinstance(part, str)
        else _Part((part,), None, (), ())
        for part in order
    ]
    reserved = _reserved(message.reserved, message.reserved_names, _HIGHEST)
    return {
        "name": message.name.rpartition(".")[2],
        "comment": message.comment,
        "options": message.options,
        "parts": parts,
        "reserved": reserved,
        "messages": nested.messages(message.name),
        "enums": nested.enums(message.name),
    }


def _enum(enum: EnumPlan) -> dict[str, object]:
    values = [
        {
            "name": value.name,
            "number": value.number,
            # A released name stays, whatever the lint rule says of it.
            "comment": (*value.comment, *(["buf:lint:ignore ENUM_VALUE_PREFIX"] if value.released_as_is else [])),
            "options": value.options,
        }
        for value in enum.values
    ]
    reserved = _reserved(enum.reserved, enum.reserved_names, _HIGHEST_VALUE)
    return {
        "name": enum.name.rpartition(".")[2],
        "comment": enum.comment,
        "options": enum.options,
        "named": values,
        "reserved": reserved,
    }


def _reserved(spans: tuple[Span, ...], names: tuple[str, ...], highest: int) -> list[str]:
    numbers = [
        str(first) if first == last else f"{first} to {'max' if last >= highest else last}" for first, last in spans
    ]
    quoted = [f'"{name}"' for name in names]
    return [", ".join(each) for each in (numbers, quoted) if each]
