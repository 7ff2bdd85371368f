"""A Python server to fill in, and a Python client: values for the templates.

The methods and handlers are made here and not by protoc's plugin, whose code has no types; protoc makes the messages.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from halfopen.checkers import programs
from halfopen.durations import spell_duration
from halfopen.templates import environment
from halfopen.vocabulary import Artifact
from halfopen_generators.grpc import service_config
from halfopen_generators.grpc.plan import PROTO_ROOT, Api, ServicePlan
from halfopen_generators.grpc.policy import policy
from halfopen_generators.grpc.stubs import python_names as names
from halfopen_generators.grpc.stubs.calls import Call, Resume, calls, gaps, grace
from halfopen_generators.grpc.stubs.naming import about, apart, plain_name
from halfopen_generators.grpc.stubs.python_messages import Messages, brought_along, lines

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
    for name in brought_along(api):
        text = programs.known_proto(name)
        yield Artifact(path=f"{ROOT}/protos/{name}", media_type="text/x-protobuf", text=text)
    config = json.dumps(_channel_config(api), indent=2) + "\n"
    yield Artifact(path=f"{ROOT}/{package}/service_config.json", media_type="application/json", text=config)


def unsupported(api: Api) -> tuple[str, ...]:
    """What the design asks for and this project doesn't do, a sentence each."""
    return tuple(gaps(api))


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
        **_imports(Messages(api), known),
        **_collections(rpcs),
        "services": services,
        "rows": [_row(call, rpc) for call, rpc in zip(known, rpcs, strict=True)],
        "example": services[0],
        "deadlines": [(rpc["path"], f"{call.rpc.deadline!r}") for call, rpc in zip(known, rpcs, strict=True)],
        "remembered": [(rpc["path"], rpc["request_id"], rpc["response"]) for rpc in rpcs if rpc["request_id"]],
        "gaps": unsupported(api),
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


def _imports(messages: Messages, known: tuple[Call, ...]) -> dict[str, object]:
    """The modules of messages that the rpcs need, and those that the contract does."""
    used = [messages.of(side)[0] for call in known for side in (call.rpc.request, call.rpc.response)]
    offered = [messages.module(path) for path in messages.with_services]
    kept = [messages.of(call.rpc.response)[0] for call in known if call.request_id]
    return {
        "theirs": lines(used, ours=False),
        "ours": lines(used, ours=True),
        "contract_theirs": lines(kept, ours=False),
        "contract_ours": lines([*offered, *kept], ours=True),
        "offered": [module.alias for module in offered],
    }


def _collections(rpcs: list[dict[str, Any]]) -> dict[str, object]:
    """Which names of the collections, and which modules, the code of these rpcs needs."""
    paged, resumed = any(rpc["pages"] for rpc in rpcs), any(rpc["resume"] for rpc in rpcs)
    takes = any(rpc["takes_stream"] for rpc in rpcs)
    needed = {
        "AsyncGenerator": paged or resumed,
        "AsyncIterable": any(rpc["gives_stream"] and not rpc["resume"] for rpc in rpcs),
        "AsyncIterator": takes,
    }
    return {
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
    rpc, messages = call.rpc, Messages(api)
    told = names.doc(about(call), rpc.name)
    return {
        "name": rpc.name,
        "method": method,
        "path": f"/{api.package}.{call.service.name}/{rpc.name}",
        "arity": _KINDS[rpc.kind],
        "takes_stream": rpc.kind in {"client-stream", "bidi"},
        "gives_stream": rpc.kind in {"server-stream", "bidi"},
        "request": messages.of(rpc.request)[1],
        "response": messages.of(rpc.response)[1],
        "request_id": call.request_id.name if call.request_id else "",
        "deadline": repr(rpc.deadline),
        "pages": pages,
        "resume": _resume(call.resume) if call.resume else None,
        "doc": told,
        "client_doc": (*told[1:], *_client_notes(call)),
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
