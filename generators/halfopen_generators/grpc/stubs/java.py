"""A Java server to fill in, and a client: values for the templates, named as protoc and grpc-java name them."""

from __future__ import annotations

import math
from collections.abc import Iterator

from halfopen.templates import environment
from halfopen.vocabulary import Artifact
from halfopen_generators.grpc import service_config
from halfopen_generators.grpc.plan import PROTO_ROOT, Api, ServicePlan
from halfopen_generators.grpc.stubs.calls import Call, calls, gaps, grace, unwritten
from halfopen_generators.grpc.stubs.java_names import JavaTypes, capital, method_name
from halfopen_generators.grpc.stubs.naming import about, apart, in_block_comment, plain_name

ROOT = "stubs/java"
_CODE = "text/x-java"


def files(api: Api) -> Iterator[Artifact]:
    """The whole project."""
    values = _values(api)
    always = {"server/ApiServer.java": True, "server/DeadlineInterceptor.java": True, "server/Main.java": True,
              "server/RememberInterceptor.java": any(call.request_id for call in calls(api)),
              "client/Channels.java": True, "client/Pages.java": any(call.paged for call in calls(api)),
              "client/Resumed.java": any(call.resume for call in calls(api)), "trace/Trace.java": True}  # fmt: skip
    yield _artifact("README.md", "README.md", "text/markdown", values)
    yield _artifact("pom.xml", "pom.xml", "application/xml", values)
    code = _code(api)
    for path, wanted in always.items():
        if wanted:
            yield _artifact(path, f"{code}/{path}", _CODE, values)
    for service in api.services:
        own = {**values, "service": _service(api, service)}
        yield _artifact("client/Client.java", f"{code}/client/{service.name}Client.java", _CODE, own)
        yield _artifact("service/Service.java", f"{code}/service/{service.name}.java", _CODE, own)
    config = service_config.spelled(api)
    resource = f"{ROOT}/src/main/resources/service-config.json"
    yield Artifact(path=resource, media_type="application/json", text=config)


def unsupported(api: Api) -> tuple[str, ...]:
    """What the design asks for and this project doesn't do, a sentence each; grpc-java itself keeps the rest."""
    clashes = (
        f"{message.name}.descriptor has a name that protoc can't give in Java, where getDescriptor is its own: such "
        "code does not compile until the field has another name."
        for message in api.messages
        if "descriptor" in message.by_name
    )
    rules = any(name.startswith("buf/") for file in api.files for name in file.imports)
    library = (
        ("pom.xml names no library for buf/validate/validate.proto: add build.buf:protovalidate.",) if rules else ()
    )
    return (*unwritten(api), *gaps(api), *clashes, *library)


def _artifact(template: str, path: str, media_type: str, values: dict[str, object]) -> Artifact:
    found = environment("halfopen_generators.grpc").get_template(f"stubs/java/{template}.j2")
    return Artifact(path=f"{ROOT}/{path}", media_type=media_type, text=found.render(values))


def _package(api: Api) -> str:
    return f"com.example.{plain_name(api).replace('_', '')}api"


def _code(api: Api) -> str:
    return f"src/main/java/{_package(api).replace('.', '/')}"


def _values(api: Api) -> dict[str, object]:
    known, types = calls(api), JavaTypes(api)
    remembered = [call for call in known if call.request_id]
    return {
        "artifact": f"{plain_name(api)}-api",
        "api": api.package,
        "java_package": _package(api),
        "stub_imports": [types.stub(service.name) for service in api.services],
        "remember_imports": types.imports(call.rpc.request for call in remembered),
        "proto_root": PROTO_ROOT,
        "unsupported": unsupported(api),
        "grace": _milliseconds(grace(api)),
        "services": [service.name for service in api.services],
        "deadlines": [(_full(api, call), _milliseconds(call.rpc.deadline)) for call in known],
        "request_ids": [
            (_full(api, call), types.reference(call.rpc.request), capital(call.request_id.name))
            for call in remembered
            if call.request_id
        ],
        "fill_in": [f"{_code(api)}/service/{service.name}.java" for service in api.services],
    }


def _full(api: Api, call: Call) -> str:
    return f"{api.package}.{call.service.name}/{call.rpc.name}"


def _service(api: Api, service: ServicePlan) -> dict[str, object]:
    own = [call for call in calls(api) if call.service is service and not call.foreign]
    types = JavaTypes(api)
    sides = [side for call in own for side in (call.rpc.request, call.rpc.response)]
    sends = {"client-stream", "bidi"}
    return {
        "name": service.name,
        "full": f"{api.package}.{service.name}",
        "comment": in_block_comment(service.comment),
        "rpcs": [_rpc(types, call) for call in own],
        "imports": [types.stub(service.name), *types.imports(sides)],
        "blocks": any(call.rpc.kind not in sends for call in own),
        "sends_streams": any(call.rpc.kind in sends for call in own),
        "server_streams": any(call.rpc.kind == "server-stream" for call in own),
        "ids": any(call.request_id for call in own),
        "resumes": any(call.resume for call in own),
    }


def _rpc(types: JavaTypes, call: Call) -> dict[str, object]:
    rpc = call.rpc
    taken = {method_name(other.name) for other in call.service.methods}
    name = method_name(rpc.name)
    return {
        "name": name,
        "kind": rpc.kind,
        "comment": in_block_comment(about(call)),
        "descriptor": f"get{rpc.name}Method",
        "request": types.reference(rpc.request),
        "response": types.reference(rpc.response),
        "request_id": capital(call.request_id.name) if call.request_id else "",
        "pages": apart(f"{name}Pages", taken) if call.paged else "",
        "resumed": _resumed(call, name, taken),
    }


def _resumed(call: Call, name: str, taken: set[str]) -> dict[str, object] | None:
    if call.resume is None:
        return None
    *holders, field = [capital(part.name) for part in call.resume.request]
    place = f"set{field}(place)"
    for holder in holders:
        place = f"set{holder}(last.get{holder}().toBuilder().{place})"
    return {
        "name": apart(f"{name}Resumed", taken),
        "place": ".".join(f"get{capital(part.name)}()" for part in call.resume.response),
        "seen": "!place.isEmpty()" if call.resume.type in {"string", "bytes"} else "place != 0",
        "set": place,
        "attempts": call.resume.retry.attempts,
        "first": _milliseconds(call.resume.retry.first_wait),
        "longest": _milliseconds(call.resume.retry.longest_wait),
        "factor": f"{call.resume.retry.factor:g}",
    }


def _milliseconds(seconds: float) -> int:
    return math.ceil(round(seconds * 1000, 6))
