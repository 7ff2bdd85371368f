"""A TypeScript server to fill in, and a client: values for the templates, named as ts-proto and nice-grpc name them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from halfopen.protobuf import field_type
from halfopen.templates import environment, kebab, pascal
from halfopen.vocabulary import Artifact
from halfopen_generators.grpc import service_config
from halfopen_generators.grpc.plan import PROTO_ROOT, Api, ServicePlan
from halfopen_generators.grpc.stubs.calls import EMPTY, Call, calls, gaps, grace, spelled, unwritten
from halfopen_generators.grpc.stubs.naming import about, apart, in_block_comment, plain_name

ROOT = "stubs/typescript"
_CODE = "text/x-typescript"
_MONEY = "google/type/money.proto"
_NO_HEALTH = (
    "grpc-js has no client-side health checking: it ignores healthCheckConfig, so a server that says NOT_SERVING gets "
    "calls until it closes the connection, which it does a second later."
)
# Node's timers hold no more milliseconds.
_LONGEST_TIMER = 2_147_483_647


def files(api: Api) -> Iterator[Artifact]:
    """The whole project."""
    values = _values(api)
    always = {
        "README.md": "text/markdown",
        "buf.gen.yaml": "application/yaml",
        "package.json": "application/json",
        "tsconfig.json": "application/json",
        "src/trace.ts": _CODE,
        "src/client/channel.ts": _CODE,
        "src/client/service-config.ts": _CODE,
        "src/server/deadline.ts": _CODE,
        "src/server/ending.ts": _CODE,
        "src/server/main.ts": _CODE,
        "src/server/server.ts": _CODE,
    }
    if any(call.request_id for call in calls(api)):
        always["src/server/remember.ts"] = _CODE
    if any(call.resume for call in calls(api)):
        always["src/client/resume.ts"] = _CODE
    for path, media_type in always.items():
        yield _artifact(path, path, media_type, values)
    for service in api.services:
        own = {**values, "service": _service(api, service)}
        yield _artifact("src/client/service.ts", f"src/client/{kebab(service.name)}.ts", _CODE, own)
        yield _artifact("src/service/service.ts", f"src/service/{kebab(service.name)}.ts", _CODE, own)


def unsupported(api: Api) -> tuple[str, ...]:
    """What the design asks for and this project doesn't do, a sentence each."""
    found = [
        *unwritten(api),
        *gaps(api),
        _NO_HEALTH,
    ]
    if any(field_type(field.asked).name == "timestamp" for message in api.messages for field in message.fields):
        found.append("A timestamp is a Date, which holds milliseconds: what is finer is lost on the way.")
    return tuple(found)


def _artifact(template: str, path: str, media_type: str, values: dict[str, object]) -> Artifact:
    found = environment("halfopen_generators.grpc").get_template(f"stubs/typescript/{template}.j2")
    return Artifact(path=f"{ROOT}/{path}", media_type=media_type, text=found.render(values))


def _values(api: Api) -> dict[str, object]:
    known, modules = calls(api), _modules(api)
    serving = {service: modules[service.name][0] for service in api.services}
    return {
        "project": plain_name(api),
        "api": api.package,
        "proto_root": PROTO_ROOT,
        "money": any(_MONEY in file.imports for file in api.files),
        "unsupported": unsupported(api),
        "grace": _milliseconds(grace(api)),
        "services": [(service.name, kebab(service.name), alias) for service, alias in serving.items()],
        "serving_modules": _used(modules, serving.values()),
        "deadlines": [(_path(api, call), _milliseconds(call.rpc.deadline)) for call in known],
        "request_ids": [
            (_path(api, call), _type(modules, call.rpc.request), camel(call.request_id.name))
            for call in known
            if call.request_id
        ],
        "request_modules": _used(modules, (_type(modules, call.rpc.request) for call in known if call.request_id)),
        "config": service_config.spelled(api).rstrip("\n"),
        "fill_in": [f"src/service/{kebab(service.name)}.ts" for service in api.services],
    }


def _path(api: Api, call: Call) -> str:
    return f"/{api.package}.{call.service.name}/{call.rpc.name}"


def _service(api: Api, service: ServicePlan) -> dict[str, object]:
    every, modules = [call for call in calls(api) if call.service is service], _modules(api)
    own = [call for call in every if not call.foreign]
    types = [_type(modules, side) for call in own for side in (call.rpc.request, call.rpc.response)]
    alias = modules[service.name][0]
    return {
        "definition": f"{alias}.{service.name}Definition",
        "modules": _used(modules, (alias, *types)),
        "foreign": [(method_name(call.rpc.name), call.rpc.name) for call in every if call.foreign],
        "name": service.name,
        "full": f"{api.package}.{service.name}",
        "comment": in_block_comment(service.comment),
        "rpcs": [_rpc(call, modules) for call in own],
        "empty": any(EMPTY in {spelled(call.rpc.request), spelled(call.rpc.response)} for call in own),
        "uuid": any(call.request_id for call in own),
        "resumes": any(call.resume for call in own),
    }


def _modules(api: Api) -> dict[str, tuple[str, str]]:
    """Under which name what a message or a service is generated in is imported, and where it lies."""
    found: dict[str, tuple[str, str]] = {}
    for file in api.files:
        path = file.path.removesuffix(".proto")
        alias = "pb" if len(api.files) == 1 else f"pb{pascal(path.rpartition('/')[2])}"
        found |= {each.name: (alias, path) for each in file.messages}
        found |= {each.name: (alias, path) for each in file.services}
    return found


def _used(modules: dict[str, tuple[str, str]], names: Iterable[str]) -> list[tuple[str, str]]:
    """Those modules that the names begin with."""
    aliases = {name.partition(".")[0] for name in names}
    return sorted({module for module in modules.values() if module[0] in aliases})


def _rpc(call: Call, modules: dict[str, tuple[str, str]]) -> dict[str, object]:
    rpc = call.rpc
    taken = {method_name(other.name) for other in call.service.methods}
    name = method_name(rpc.name)
    return {
        "name": name,
        "asked": rpc.name,
        "kind": rpc.kind,
        "comment": in_block_comment(about(call)),
        "request": _type(modules, rpc.request),
        "response": _type(modules, rpc.response),
        "partial_request": _partial(modules, rpc.request),
        "partial_response": _partial(modules, rpc.response),
        "request_id": camel(call.request_id.name) if call.request_id else "",
        "pages": apart(f"{name}Pages", taken) if call.paged else "",
        "resumed": _resumed(call, name, taken),
    }


def _resumed(call: Call, name: str, taken: set[str]) -> dict[str, object] | None:
    if call.resume is None:
        return None
    holders = [camel(field.name) for field in call.resume.request]
    seen = "place !== undefined && place.length > 0" if call.resume.type == "bytes" else "place"
    return {
        "name": apart(f"{name}Resumed", taken),
        "place": "?.".join(camel(field.name) for field in call.resume.response),
        "seen": seen,
        "holder": holders[0] if len(holders) > 1 else "",
        "field": holders[-1],
        "attempts": call.resume.retry.attempts,
        "first": _milliseconds(call.resume.retry.first_wait),
        "longest": _milliseconds(call.resume.retry.longest_wait),
        "factor": f"{call.resume.retry.factor:g}",
    }


def _type(modules: dict[str, tuple[str, str]], name: str) -> str:
    return "Empty" if spelled(name) == EMPTY else f"{modules[name][0]}.{name.replace('.', '_')}"


def _partial(modules: dict[str, tuple[str, str]], name: str) -> str:
    known = _type(modules, name)
    return f"{known.rpartition('.')[0]}.DeepPartial<{known}>".removeprefix(".")


def _milliseconds(seconds: float) -> int:
    return min(math.ceil(round(seconds * 1000, 6)), _LONGEST_TIMER)


def camel(name: str) -> str:
    """A field's name as ts-proto has it."""
    first, *rest = name.split("_")
    return first + "".join(word[:1].upper() + word[1:] for word in rest)


def method_name(name: str) -> str:
    """An rpc's name as nice-grpc has it: the first letter alone is made small."""
    return name[:1].lower() + name[1:]
