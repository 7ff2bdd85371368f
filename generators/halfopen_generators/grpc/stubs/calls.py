"""What stubs of every language know of a call: whose answer is kept, which stream goes on, what is paged.

The plan says what is promised; here the fields are found that keep the promise, once for all languages. What can't be
kept by generated code is told by `gaps`, so that no promise is dropped in silence.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from halfopen.protobuf import field_type
from halfopen_generators.grpc.plan import Api, FieldPlan, MessagePlan, MethodPlan, RetryPlan, ServicePlan
from halfopen_generators.grpc.policy import policy
from halfopen_generators.grpc.types import SCALARS, WELL_KNOWN

EMPTY = "google.protobuf.Empty"
# Types that a place in a stream can have: those that are equal or not, without rounding.
_PLACES = frozenset(SCALARS) - {"bool", "float", "double"}
# Kubernetes gives a pod 30 s between SIGTERM and SIGKILL; this leaves some for going NOT_SERVING first.
_LONGEST_GRACE = 25.0
# A field, with the field of the message before it that holds it, if one does.
Path = tuple[FieldPlan, ...]


@dataclass(frozen=True)
class Resume:
    """How a stream that broke goes on: where the place stands on both sides, and how often and when it is tried."""

    request: Path
    response: Path
    retry: RetryPlan

    @property
    def type(self) -> str:
        """The Protobuf type of the place."""
        return field_type(self.request[-1].asked).name


@dataclass(frozen=True)
class Call:
    """An rpc with the fields that its promises rest on. `foreign`: a message of another package is a side of it."""

    service: ServicePlan
    rpc: MethodPlan
    foreign: bool
    request_id: FieldPlan | None
    paged: bool
    resume: Resume | None


def calls(api: Api) -> tuple[Call, ...]:
    """Every rpc of every service."""
    return tuple(_call(api, service, rpc) for service in api.services for rpc in service.methods)


def spelled(side: str) -> str:
    """The full name of a well-known type, and any other name as it is."""
    return WELL_KNOWN[side][0] if side in WELL_KNOWN else side


def grace(api: Api) -> float:
    """Seconds that a server which was told to stop gives to the calls it has taken: as long as they may last."""
    longest = max((rpc.deadline for rpc in api.methods), default=0.0)
    return min(longest, _LONGEST_GRACE)


def gaps(api: Api) -> Iterator[str]:
    """What the plan promises and generated code can't keep, whatever the language: a sentence each."""
    for call in calls(api):
        rpc = call.rpc
        name = f"{call.service.name}.{rpc.name}"
        if rpc.idempotency == "idempotent" and call.request_id is None:
            why = "it streams" if rpc.streams else "its request has no id that is a string"
            yield f"{name} is idempotent, and {why}: no answer is kept, so the method has to bear a second call itself."
        if rpc.resumable and rpc.streams and call.resume is None:
            yield f"{name} carries its place, and is not opened anew by itself: {_why_not_resumed(api, rpc)}."
        if rpc.paginated and not call.paged:
            yield f"{name} has pages, and no iterator: its tokens stand in a oneof."


def unwritten(api: Api) -> Iterator[str]:
    """The rpcs that a language leaves out whose names for messages hang on options of their own files, told."""
    for call in calls(api):
        if call.foreign:
            name = f"{call.service.name}.{call.rpc.name}"
            yield f"{name} takes or answers with a message of another package: its method and its call are not written."


def _call(api: Api, service: ServicePlan, rpc: MethodPlan) -> Call:
    request, response = api.by_name.get(rpc.request), api.by_name.get(rpc.response)
    return Call(
        service=service,
        rpc=rpc,
        foreign=any(side not in api.by_name and spelled(side) != EMPTY for side in (rpc.request, rpc.response)),
        request_id=_request_id(rpc, request),
        paged=rpc.paginated and _plain(request, "page_token") and _plain(response, "next_page_token"),
        resume=_resume(api, rpc, request, response),
    )


def _plain(message: MessagePlan | None, name: str) -> bool:
    field = message.by_name.get(name) if message else None
    return field is not None and field.oneof is None and field.asked == "string"


def _request_id(rpc: MethodPlan, request: MessagePlan | None) -> FieldPlan | None:
    if rpc.idempotency != "idempotent" or rpc.streams or request is None:
        return None
    known = (request.by_name.get(name) for name in policy().fields.request_id)
    texts = (field for field in known if field is not None and field.oneof is None)
    return next((field for field in texts if field.asked in {"string", "optional string"}), None)


def _resume(api: Api, rpc: MethodPlan, request: MessagePlan | None, response: MessagePlan | None) -> Resume | None:
    if not rpc.resumable or rpc.kind != "server-stream" or rpc.retry is None:
        return None
    pairs = [
        (asked, told)
        for asked in _places(api, request)
        for told in _places(api, response)
        if field_type(asked[-1].asked).name == field_type(told[-1].asked).name
    ]
    # Two that have one name are meant for each other.
    pairs.sort(key=lambda pair: pair[0][-1].name != pair[1][-1].name)
    return Resume(*pairs[0], rpc.retry) if pairs else None


def _places(api: Api, message: MessagePlan | None) -> Iterator[Path]:
    """The fields that say where in the stream the message stands, its own before those of a message that it holds."""
    own = [field for field in message.fields if field.oneof is None] if message else []
    yield from ((field,) for field in own if _is_place(field))
    for field in own:
        inner = api.by_name.get(field.asked.removeprefix("optional "))
        parts = inner.fields if inner else ()
        yield from ((field, part) for part in parts if part.oneof is None and _is_place(part))


def _is_place(field: FieldPlan) -> bool:
    kind = field_type(field.asked)
    return field.name in policy().fields.resume and kind.label in {"", "optional"} and kind.name in _PLACES


def _why_not_resumed(api: Api, rpc: MethodPlan) -> str:
    if rpc.kind != "server-stream":
        return "what the caller has sent would have to be sent again"
    if rpc.retry is None:
        return "a second call may act again"
    places = (api.by_name.get(side) for side in (rpc.request, rpc.response))
    lost = any(not list(_places(api, side)) for side in places)
    return (
        "a oneof or a list holds the place" if lost else "the place has one type in the request, another in the answer"
    )
