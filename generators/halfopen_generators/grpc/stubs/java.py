"""A Java server to fill in, and a client: values for the templates, named as protoc and grpc-java name them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from halfopen.templates import environment
from halfopen.vocabulary import Artifact
from halfopen_generators.grpc import service_config
from halfopen_generators.grpc.elements import spelled
from halfopen_generators.grpc.plan import PROTO_ROOT, Api, ServicePlan
from halfopen_generators.grpc.stubs.calls import Call, calls, gaps, grace
from halfopen_generators.grpc.stubs.naming import about, apart, in_block_comment, plain_name

ROOT = "stubs/java"
_CODE = "text/x-java"
_EMPTY = "google.protobuf.Empty"
# Names that stand for something else in the code: a generated class that is called so is written with its package.
_IMPORTED = re.compile(
    r"AtomicReference|Channel|Channels|CodedOutputStream|CompletableFuture|Duration|Empty|HexFormat|Iterator|"
    r"Kept|LinkedHashMap|Map|Message|MessageDigest|Metadata|Object|Pages|Recorded|Resumed|ServerCall|"
    r"ServerCallHandler|ServerCalls|ServerInterceptor|Status|StreamObserver|String|UUID"
)
_KEYWORDS = re.compile(
    r"abstract|assert|boolean|break|byte|case|catch|char|class|const|continue|default|do|double|else|enum|"
    r"extends|false|final|finally|float|for|goto|if|implements|import|instanceof|int|interface|long|native|new|"
    r"null|package|private|protected|public|return|short|static|strictfp|super|switch|synchronized|this|throw|"
    r"throws|transient|true|try|void|volatile|while"
)
# Fields whose getters protobuf's own classes have already.
_GETTERS = re.compile(
    r"AllFields|CachedSize|Class|DefaultInstanceForType|DescriptorForType|InitializationErrorString|"
    r"ParserForType|SerializedSize|UnknownFields"
)


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
    return (*gaps(api), *clashes)


def _artifact(template: str, path: str, media_type: str, values: dict[str, object]) -> Artifact:
    found = environment("halfopen_generators.grpc").get_template(f"stubs/java/{template}.j2")
    return Artifact(path=f"{ROOT}/{path}", media_type=media_type, text=found.render(values))


def _package(api: Api) -> str:
    return f"com.example.{plain_name(api).replace('_', '')}api"


def _code(api: Api) -> str:
    return f"src/main/java/{_package(api).replace('.', '/')}"


def _values(api: Api) -> dict[str, object]:
    known = calls(api)
    outer = outer_class(api)
    return {
        "artifact": f"{plain_name(api)}-api",
        "api": api.package,
        "java_package": _package(api),
        "generated": api.package,
        "import_outer": not _IMPORTED.fullmatch(outer),
        "outer": outer,
        "proto_root": PROTO_ROOT,
        "proto_file": f"{PROTO_ROOT}/{api.path}",
        "unsupported": unsupported(api),
        "grace": _milliseconds(grace(api)),
        "services": [service.name for service in api.services],
        "deadlines": [(_full(api, call), _milliseconds(call.rpc.deadline)) for call in known],
        "request_ids": [
            (_full(api, call), _type(api, call.rpc.request), capital(call.request_id.name))
            for call in known
            if call.request_id
        ],
        "fill_in": [f"{_code(api)}/service/{service.name}.java" for service in api.services],
    }


def _full(api: Api, call: Call) -> str:
    return f"{api.package}.{call.service.name}/{call.rpc.name}"


def _service(api: Api, service: ServicePlan) -> dict[str, object]:
    own = [call for call in calls(api) if call.service is service]
    sides = {spelled(side) for call in own for side in (call.rpc.request, call.rpc.response)}
    sends = {"client-stream", "bidi"}
    return {
        "name": service.name,
        "full": f"{api.package}.{service.name}",
        "comment": in_block_comment(service.comment),
        "rpcs": [_rpc(api, call) for call in own],
        "messages": bool(sides - {_EMPTY}),
        "empty": _EMPTY in sides,
        "blocks": any(call.rpc.kind not in sends for call in own),
        "sends_streams": any(call.rpc.kind in sends for call in own),
        "server_streams": any(call.rpc.kind == "server-stream" for call in own),
        "ids": any(call.request_id for call in own),
        "resumes": any(call.resume for call in own),
    }


def _rpc(api: Api, call: Call) -> dict[str, object]:
    rpc = call.rpc
    taken = {method_name(other.name) for other in call.service.methods}
    name = method_name(rpc.name)
    return {
        "name": name,
        "kind": rpc.kind,
        "comment": in_block_comment(about(call)),
        "descriptor": f"get{rpc.name}Method",
        "request": _type(api, rpc.request),
        "response": _type(api, rpc.response),
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


def _type(api: Api, name: str) -> str:
    if spelled(name) == _EMPTY:
        return "Empty"
    outer = outer_class(api)
    return f"{f'{api.package}.{outer}' if _IMPORTED.fullmatch(outer) else outer}.{name}"


def _milliseconds(seconds: float) -> int:
    return math.ceil(round(seconds * 1000, 6))


def outer_class(api: Api) -> str:
    """The class that protoc puts the messages of the file into, apart from what the file itself defines."""
    name = capital(api.name)
    own = {*api.by_name, *(enum.name for enum in api.enums), *(service.name for service in api.services)}
    return f"{name}OuterClass" if name in own else name


def capital(name: str) -> str:
    """A name as protoc writes it behind `get` or in a class: capitals begin the words, also behind a digit."""
    text = ""
    begins = True
    for letter in name:
        if letter.isascii() and letter.isalpha():
            text += letter.upper() if begins else letter
            begins = False
        else:
            text += letter if letter.isdigit() else ""
            begins = True
    return f"{text}_" if _GETTERS.fullmatch(text) else text


def method_name(name: str) -> str:
    """An rpc's name as grpc-java has it: the first letter made small, and apart from Java's keywords."""
    found = name[:1].lower() + name[1:]
    return f"{found}_" if _KEYWORDS.fullmatch(found) else found
