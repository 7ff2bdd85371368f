"""A Python server to fill in, and a Python client: values for the templates.

The methods and handlers are made here and not by protoc's plugin, whose code has no types; protoc makes the messages.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from halfopen.durations import spell_duration
from halfopen.templates import environment
from halfopen.vocabulary import Artifact
from halfopen_generators.grpc import service_config
from halfopen_generators.grpc.plan import PROTO_ROOT, Api, ServicePlan
from halfopen_generators.grpc.policy import policy
from halfopen_generators.grpc.stubs import python_names as names
from halfopen_generators.grpc.stubs.calls import Call, Resume, calls, gaps, grace
from halfopen_generators.grpc.stubs.naming import about, apart, plain_name

ROOT = "stubs/python"
_CODE = "text/x-python"
_PROJECT = {"README.md": "text/markdown", "pyproject.toml": "application/toml", "generate.py": _CODE}
_MODULES = ("__init__", "client", "contract", "deadlines", "errors", "server", "services", "skeleton", "tracing")
_KINDS = {
    "unary": "unary_unary",
    "server-stream": "unary_stream",
    "client-stream": "stream_unary",
    "bidi": "stream_stream",
}


def files(api: Api) -> Iterator[Artifact]:
    """The whole project but the messages, which `generate.py` makes."""
    values = _values(api)
    package = names.package(api)
    for name, media_type in _PROJECT.items():
        yield _artifact(name, name, media_type, values)
    of_some = {"idempotency": values["remembered"], "streams": values["paged"] or values["resumed"]}
    for name in (*_MODULES, *(name for name, needed in of_some.items() if needed)):
        yield _artifact(f"package/{name}.py", f"{package}/{name}.py", _CODE, values)
    config = json.dumps(_channel_config(api), indent=2) + "\n"
    yield Artifact(path=f"{ROOT}/{package}/service_config.json", media_type="application/json", text=config)


def _channel_config(api: Api) -> dict[str, Any]:
    """The service config without its timeouts, which the client sets on each call.

    In gRPC's C core a timeout of the config ends too early where the cycle counter and the clock disagree
    (https://github.com/grpc/grpc/issues/40633), and no server hears of it.
    """
    found = service_config.service_config(api)
    for method in found["methodConfig"]:
        del method["timeout"]
    return found


def _artifact(template: str, path: str, media_type: str, values: dict[str, object]) -> Artifact:
    found = environment("halfopen_generators.grpc").get_template(f"stubs/python/{template}.j2")
    return Artifact(path=f"{ROOT}/{path}", media_type=media_type, text=found.render(values))


def _values(api: Api) -> dict[str, object]:
    known, services = calls(api), _services(api)
    rpcs = [rpc for service in services for rpc in service["rpcs"]]
    return {
        "api": api.package,
        "package": names.package(api),
        "distribution": f"{plain_name(api).replace('_', '-')}-api",
        "proto_root": PROTO_ROOT,
        "proto_path": api.path,
        "proto_file": f"{PROTO_ROOT}/{api.path}",
        **_imports(api, rpcs),
        "services": services,
        "rows": [_row(call, rpc) for call, rpc in zip(known, rpcs, strict=True)],
        "example": services[0],
        "deadlines": [(rpc["path"], f"{call.rpc.deadline!r}") for call, rpc in zip(known, rpcs, strict=True)],
        "remembered": [(rpc["path"], rpc["request_id"], rpc["response"]) for rpc in rpcs if rpc["request_id"]],
        "gaps": tuple(gaps(api)),
        **_figures(api),
    }


def _figures(api: Api) -> dict[str, str]:
    """The figures that no rpc has for itself, as the modules and the README write them."""
    figures = policy().server
    return {
        "grace": spell_duration(grace(api)),
        "grace_seconds": repr(grace(api)),
        "notice": repr(figures.notice.value),
        "kept_for": spell_duration(figures.kept_for.value),
        "kept_seconds": repr(figures.kept_for.value),
        "most_kept": f"{figures.most_kept.value:_}",
        "keepalive_ms": f"{round(figures.ping_every.value * 1000):_}",
        "keepalive_timeout_ms": f"{round(figures.ping_answer.value * 1000):_}",
    }


def _imports(api: Api, rpcs: list[dict[str, Any]]) -> dict[str, object]:
    """Which modules and which names of the collections the code of these rpcs needs."""
    sides = {rpc[side] for rpc in rpcs for side in ("request", "response")}
    pb_from, pb_module = names.messages_module(api)
    paged, resumed = any(rpc["pages"] for rpc in rpcs), any(rpc["resume"] for rpc in rpcs)
    takes = any(rpc["takes_stream"] for rpc in rpcs)
    needed = {
        "AsyncGenerator": paged or resumed,
        "AsyncIterable": any(rpc["gives_stream"] and not rpc["resume"] for rpc in rpcs),
        "AsyncIterator": takes,
    }
    return {
        "pb_from": pb_from,
        "pb_module": pb_module,
        "uses_pb": any(side.startswith("pb.") for side in sides),
        "uses_empty": not all(side.startswith("pb.") for side in sides),
        "remembered_empty": any(rpc["request_id"] and not rpc["response"].startswith("pb.") for rpc in rpcs),
        "takes_stream": takes,
        "gives_stream": any(rpc["gives_stream"] for rpc in rpcs),
        "client_abc": [name for name, need in needed.items() if need],
        "paged": paged,
        "resumed": resumed,
        "keyed": any(rpc["request_id"] for rpc in rpcs),
    }


def _services(api: Api) -> list[dict[str, Any]]:
    taken = {service.name for service in api.services} | names.CLASSES
    found = []
    for service in api.services:
        client = apart(f"{service.name}Client", taken)
        taken.add(client)
        found.append(
            {
                "full": f"{api.package}.{service.name}",
                "skeleton": apart(service.name, names.CLASSES),
                "client": client,
                "doc": names.doc(service.comment, service.name),
                "rpcs": _rpcs(api, service),
            }
        )
    return found


def _rpcs(api: Api, service: ServicePlan) -> list[dict[str, Any]]:
    own = [call for call in calls(api) if call.service is service]
    # A skeleton has a method beside its rpcs.
    taken = {"handlers"}
    methods = [names.method(call.rpc.name, taken) for call in own]
    # A way through all pages takes what name the rpcs leave.
    paged = [names.method(f"{call.rpc.name}Pages", taken) if call.paged else "" for call in own]
    return [_rpc(api, *each) for each in zip(own, methods, paged, strict=True)]


def _rpc(api: Api, call: Call, method: str, pages: str) -> dict[str, Any]:
    rpc = call.rpc
    lines = names.doc(about(call), rpc.name)
    return {
        "name": rpc.name,
        "method": method,
        "path": f"/{api.package}.{call.service.name}/{rpc.name}",
        "arity": _KINDS[rpc.kind],
        "takes_stream": rpc.kind in {"client-stream", "bidi"},
        "gives_stream": rpc.kind in {"server-stream", "bidi"},
        "request": names.message(rpc.request),
        "response": names.message(rpc.response),
        "request_id": call.request_id.name if call.request_id else "",
        "deadline": repr(rpc.deadline),
        "pages": pages,
        "resume": _resume(call.resume) if call.resume else None,
        "doc": lines,
        "client_doc": (*lines[1:], *_client_notes(call)),
    }


def _resume(found: Resume) -> dict[str, object]:
    return {
        "asked": names.path_tuple(tuple(field.name for field in found.request)),
        "told": names.path_tuple(tuple(field.name for field in found.response)),
        "attempts": found.retry.attempts,
        "first_wait": repr(round(found.retry.first_wait, 9)),
        "longest_wait": repr(found.retry.longest_wait),
        "factor": repr(found.retry.factor),
    }


def _client_notes(call: Call) -> tuple[str, ...]:
    """What the client does beyond a call, a line each."""
    found = []
    if call.request_id:
        found.append(f"Left empty, {call.request_id.name} is made, and is the same on every try of this call.")
    if call.resume:
        found.append("Opened anew where it breaks, and at the end of each deadline.")
    return tuple(found)


def _row(call: Call, rpc: dict[str, Any]) -> tuple[str, ...]:
    """What the README says of the rpc."""
    more = [f"all pages: `{rpc['pages']}`" if rpc["pages"] else "", *_client_notes(call)]
    tries = str(call.rpc.retry.attempts) if call.rpc.retry else "1"
    deadline = spell_duration(call.rpc.deadline)
    return (call.rpc.name, f"`{rpc['method']}`", deadline, tries, " ".join(filter(None, more)) or "-")
