"""A Go server to fill in, and a Go client: values for the templates, named as protoc-gen-go names them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from halfopen.templates import environment, snake
from halfopen.vocabulary import Artifact
from halfopen_generators.grpc import service_config
from halfopen_generators.grpc.plan import PROTO_ROOT, Api, FieldPlan, MessagePlan, ServicePlan
from halfopen_generators.grpc.proto_file import copies
from halfopen_generators.grpc.stubs.calls import EMPTY, Call, Path, calls, gaps, grace, spelled, unwritten
from halfopen_generators.grpc.stubs.naming import about, apart, plain_name, version

ROOT = "stubs/go"
_CODE = "text/x-go"
# Where the service config stands that the client is built with.
_EMBEDDED = "client/service-config.json"
_MONEY = "google/type/money.proto"
# What protoc-gen-go's messages have as methods, so that no field is called so.
_METHODS = ("Reset", "String", "ProtoMessage", "Marshal", "Unmarshal", "ExtensionRangeArray", "ExtensionMap",
            "Descriptor")  # fmt: skip
# What a place in a stream is before the first message.
_ZEROS = {"string": '{} != ""', "bytes": "len({}) > 0"}


def files(api: Api) -> Iterator[Artifact]:
    """The whole project."""
    values = _values(api)
    always = {
        "README.md": "text/markdown",
        "buf.gen.yaml": "application/yaml",
        "go.mod": "text/plain",
        "go.sum": "text/plain",
        "cmd/server/main.go": _CODE,
        "client/client.go": _CODE,
        "server/deadline.go": _CODE,
        "server/server.go": _CODE,
        "trace/trace.go": _CODE,
    }
    if any(call.request_id for call in calls(api)):
        always["server/remember.go"] = _CODE
    if any(call.resume for call in calls(api)):
        always["client/resume.go"] = _CODE
    for path, media_type in always.items():
        yield _artifact(path, path, media_type, values)
    for service in api.services:
        own = {**values, "service": _service(api, service)}
        yield _artifact("client/service.go", f"client/{snake(service.name)}_client.go", _CODE, own)
        yield _artifact("service/service.go", f"service/{snake(service.name)}_server.go", _CODE, own)
    yield Artifact(path=f"{ROOT}/{_EMBEDDED}", media_type="application/json", text=service_config.spelled(api))


def unsupported(api: Api) -> tuple[str, ...]:
    """What the design asks for and this project doesn't do, a sentence each; grpc-go itself keeps all of it."""
    own = {*(file.path for file in api.files), *copies(api)}
    others = {name for file in api.files for name in (*file.imports, *file.public)} - own
    unnamed = sorted(name for name in others if name != _MONEY and not name.startswith("google/protobuf/"))
    tidy = (
        f"go.mod does not name the module of {name}: `go mod tidy` adds it, once gen/ is there." for name in unnamed
    )
    return (*unwritten(api), *gaps(api), *tidy)


def _artifact(template: str, path: str, media_type: str, values: dict[str, object]) -> Artifact:
    found = environment("halfopen_generators.grpc").get_template(f"stubs/go/{template}.j2")
    return Artifact(path=f"{ROOT}/{path}", media_type=media_type, text=found.render(values))


def _values(api: Api) -> dict[str, object]:
    module, package = f"example.com/{plain_name(api)}-api", _package(api)
    known = calls(api)
    return {
        "module": module,
        "package": package,
        "api": api.package,
        "mapped": [f"{path}={module}/gen/{name};{name}" for path, name in _generated(api)],
        "proto_root": PROTO_ROOT,
        "money": any(_MONEY in file.imports for file in api.files),
        "unsupported": unsupported(api),
        "grace": _duration(grace(api)),
        "services": [(service.name, f"{api.package}.{service.name}") for service in api.services],
        "deadlines": [(_full(call), _duration(call.rpc.deadline)) for call in known],
        "request_ids": [
            (_full(call), _message(call.rpc.request), _name(api, call.rpc.request, call.request_id))
            for call in known
            if call.request_id
        ],
        "fill_in": [f"service/{snake(service.name)}_server.go" for service in api.services],
    }


def _generated(api: Api) -> Iterator[tuple[str, str]]:
    """Each file that code is generated for, and its Go package: that of the API, or one for each folder beside it."""
    yield from ((file.path, _package(api)) for file in api.files)
    for path in sorted(copies(api)):
        yield path, f"{re.sub('[^a-z0-9]', '', path.rpartition('/')[0].lower())}pb"


def _package(api: Api) -> str:
    """The name of the generated package: orders.v1 is ordersv1. No keyword and no package of Go's own ends so."""
    return f"{plain_name(api).replace('_', '')}{version(api) or 'pb'}"


def _full(call: Call) -> str:
    return f"{call.service.name}_{call.rpc.name}_FullMethodName"


def _service(api: Api, service: ServicePlan) -> dict[str, object]:
    own = [call for call in calls(api) if call.service is service and not call.foreign]
    rpcs = [_rpc(api, call) for call in own]
    streams = any(call.rpc.streams for call in own)
    return {
        "name": service.name,
        "full": f"{api.package}.{service.name}",
        "comment": service.comment,
        "rpcs": rpcs,
        "client_imports": _client_imports(own, sends_empty=any(EMPTY in _sides(call) for call in own)),
        "server_context": any(not call.rpc.streams for call in own),
        "server_status": bool(own),
        "server_grpc": streams,
        "server_empty": any(EMPTY in _sides(call) for call in own),
    }


def _sides(call: Call) -> tuple[str, str]:
    return spelled(call.rpc.request), spelled(call.rpc.response)


def _client_imports(own: list[Call], *, sends_empty: bool) -> dict[str, bool]:
    return {
        "iter": any(call.paged or call.resume for call in own),
        "rand": any(call.request_id for call in own),
        "time": any(call.resume for call in own),
        "proto": any(call.request_id or call.paged or call.resume for call in own),
        "empty": sends_empty,
    }


def _rpc(api: Api, call: Call) -> dict[str, object]:
    rpc = call.rpc
    taken = {other.name for other in call.service.methods}
    return {
        "name": rpc.name,
        "kind": rpc.kind,
        "comment": about(call),
        "request": _type(rpc.request),
        "response": _type(rpc.response),
        "request_id": _request_id(api, call),
        "pages": apart(f"{rpc.name}Pages", taken) if call.paged else "",
        "resumed": _resumed(api, call, taken),
    }


def _request_id(api: Api, call: Call) -> dict[str, str] | None:
    if call.request_id is None:
        return None
    name = _name(api, call.rpc.request, call.request_id)
    made = "rand.Text()"
    value = f"proto.String({made})" if call.request_id.asked.startswith("optional") else made
    return {"name": name, "value": value}


def _resumed(api: Api, call: Call, taken: set[str]) -> dict[str, object] | None:
    if call.resume is None:
        return None
    getters = _names(api, call.rpc.response, call.resume.response)
    holders = _names(api, call.rpc.request, call.resume.request)
    place = _ZEROS.get(call.resume.type, "{} != 0").format("place")
    field = call.resume.request[-1]
    pointer = field.asked.startswith("optional") and call.resume.type != "bytes"
    return {
        "name": apart(f"{call.rpc.name}Resumed", taken),
        "place": "answer." + ".".join(f"Get{name}()" for name in getters),
        "seen": place,
        "holder": holders[0] if len(holders) > 1 else "",
        "holder_type": _message(call.resume.request[0].asked.removeprefix("optional ")),
        "field": ".".join(holders),
        "value": "&place" if pointer else "place",
        "attempts": call.resume.retry.attempts,
        "first": _duration(call.resume.retry.first_wait),
        "longest": _duration(call.resume.retry.longest_wait),
        "factor": f"{call.resume.retry.factor:g}",
    }


def _type(name: str) -> str:
    return "emptypb.Empty" if spelled(name) == EMPTY else f"pb.{_message(name)}"


def _message(name: str) -> str:
    """A message's name as protoc-gen-go has it, one within another too."""
    return name.replace(".", "_")


def _duration(seconds: float) -> str:
    """The seconds as Go writes a duration, in the largest unit that holds them without a fraction."""
    nanoseconds = round(seconds * 1e9)
    for unit, size in (("Second", 10**9), ("Millisecond", 10**6), ("Microsecond", 10**3)):
        if nanoseconds % size == 0:
            return f"{nanoseconds // size} * time.{unit}"
    return f"{nanoseconds} * time.Nanosecond"


def _names(api: Api, message: str, path: Path) -> list[str]:
    found = []
    for field in path:
        found.append(_name(api, message, field))
        message = field.asked.removeprefix("optional ")
    return found


def _name(api: Api, message: str, field: FieldPlan) -> str:
    return field_names(api.by_name[message])[field.name]


def field_names(message: MessagePlan) -> dict[str, str]:
    """What protoc-gen-go calls the fields of a message: in the order of the file, each apart from what came before."""
    used = {*_METHODS}

    def give(name: str, *, getter: bool) -> str:
        wanted = camel(name)
        while wanted in used or (getter and f"Get{wanted}" in used):
            wanted += "_"
        used.update((wanted, f"Get{wanted}") if getter else (wanted,))
        return wanted

    found: dict[str, str] = {}
    named: set[str] = set()
    members = {field.oneof: [other for other in message.fields if other.oneof == field.oneof]
               for field in message.fields if field.oneof}  # fmt: skip
    for field in message.fields:
        if field.oneof is None:
            found[field.name] = give(field.name, getter=True)
        elif field.oneof not in named:
            named.add(field.oneof)
            first, *rest = members[field.oneof]
            found[first.name] = give(first.name, getter=True)
            give(field.oneof, getter=False)
            found |= {other.name: give(other.name, getter=True) for other in rest}
    return found


def camel(name: str) -> str:
    """A field's name as protoc-gen-go has it: `_` and the small letter behind it become that letter's capital."""
    text = ""
    for index, letter in enumerate(name):
        following = name[index + 1 : index + 2]
        if letter == "_" and following.isascii() and following.islower():
            continue
        begins = letter.islower() and (index == 0 or name[index - 1] == "_" or name[index - 1].isdigit())
        text += letter.upper() if begins else letter
    return text
