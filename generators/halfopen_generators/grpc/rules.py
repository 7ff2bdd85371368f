"""What can be said of an API without a tool: one function per fault, each with its place in the spec."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from halfopen.durations import spell_duration
from halfopen.findings import at
from halfopen.protobuf import field_type
from halfopen.templates import words
from halfopen.vocabulary import Certainty, Finding, Severity
from halfopen_generators.grpc.codes import finding
from halfopen_generators.grpc.layout import HTTP_OPTION
from halfopen_generators.grpc.methods import REPEATABLE, no_hedging, no_retry
from halfopen_generators.grpc.plan import VERSION, Api, FieldPlan, MessagePlan, MethodPlan
from halfopen_generators.grpc.policy import policy
from halfopen_generators.grpc.references import released_types, service_name
from halfopen_generators.grpc.released import Element
from halfopen_generators.grpc.types import SCALARS, WELL_KNOWN

_WHOLE_NUMBERS = frozenset(name for name in SCALARS if "int" in name or "fixed" in name)


def static_findings(api: Api) -> tuple[Finding, ...]:
    """All of them."""
    return tuple(finding for rule in RULES for finding in rule(api))


def zero_values(api: Api) -> Iterator[Finding]:
    """PRT03: an enum whose zero is one of its values."""
    for enum in api.enums:
        zero = enum.values[0]
        if zero.name == "UNSPECIFIED" or zero.name.endswith("_UNSPECIFIED"):
            continue
        old = api.previous.enums.get(enum.name) if api.previous else None
        released = old is not None and zero.name in old.numbers
        yield finding(
            "PRT03",
            f"{zero.name} is 0, which is also what a field of {enum.name} holds that nobody set: a reader can't tell "
            "one from the other.",
            "It is released, so leave the number; add a value that says the same and ask callers to send that one."
            if released
            else "Write the enum as a list of its values, or begin them at 1: the zero is added.",
            at("enums", enum.name),
            severity=Severity.WARNING if released else Severity.ERROR,
        )


def unbounded_lists(api: Api) -> Iterator[Finding]:
    """PRT04: a response with a list of messages that nothing bounds."""
    for rpc in api.methods:
        response = api.by_name.get(rpc.response)
        if rpc.paginated or rpc.streams or response is None:
            continue
        for part in response.fields:
            if part.asked.startswith("repeated ") and field_type(part.asked).name in api.by_name:
                yield finding(
                    "PRT04",
                    f"{rpc.name} answers with all of `{part.name}` at once. Once they are too many the answer is "
                    "beyond its deadline, or beyond the 4 MiB that a gRPC client takes by default.",
                    "Say `paginated: true`; or stream them (`kind: server-stream`).",
                    at(*rpc.location, "response", part.name),
                    severity=Severity.WARNING,
                    certainty=Certainty.HEURISTIC,
                )


def version_of_package(api: Api) -> Iterator[Finding]:
    """PRT05: a package without a version."""
    last = api.package.rsplit(".", 1)[-1]
    if "." not in api.package or not VERSION.fullmatch(last):
        yield finding(
            "PRT05",
            f"The package {api.package} doesn't end in a version: a change that breaks callers has nowhere to go but "
            "over them.",
            f"Call it {api.package}.v1. A later {api.package}.v2 can be served beside it.",
            at("package"),
            severity=Severity.WARNING if api.previous else Severity.ERROR,
        )


def shared_types(api: Api) -> Iterator[Finding]:
    """PRT06: a request or response that isn't the rpc's own."""
    used: dict[str, int] = {}
    for rpc in api.methods:
        for name in {rpc.request, rpc.response}:
            used[name] = used.get(name, 0) + 1
    for rpc in api.methods:
        for side, name, own in (
            ("request", rpc.request, rpc.own_request),
            ("response", rpc.response, rpc.own_response),
        ):
            if side == "response" and (follows_aip(rpc) or rpc.finishes is not None):
                continue
            if not own or used[name] > 1 or rpc.request == rpc.response:
                what = "google.protobuf.Empty" if name == "empty" else name
                yield finding(
                    "PRT06",
                    f"The {side} of {rpc.name} is {what}, which isn't its own: a field that only {rpc.name} needs has "
                    "no place to go.",
                    f"Give {rpc.name} fields of its own under `{side}` ({{}} for none): they become "
                    f"{rpc.name}{side.capitalize()}.",
                    at(*rpc.location, side),
                    severity=_unless_released(api, rpc),
                )


def follows_aip(rpc: MethodPlan) -> bool:
    """Whether the response is what Google's AIPs 131, 133, 134 and 135 have for this standard method."""
    verb, noun = words(rpc.name)[0], rpc.name[len(words(rpc.name)[0]) :]
    return (verb in {"get", "create", "update"} and rpc.response == noun and bool(noun)) or (
        verb == "delete" and rpc.response in {"empty", noun}
    )


def conflicts(api: Api) -> Iterator[Finding]:
    """PRT11: an rpc that follows AIP where buf says otherwise, in a package that doesn't say so."""
    for rpc in api.methods:
        if api.style != "aip" and follows_aip(rpc):
            what = "nothing" if rpc.response == "empty" else f"{rpc.response} itself"
            yield finding(
                "PRT11",
                f"{rpc.name} answers with {what}, as Google's AIPs have it; buf's RPC_RESPONSE_STANDARD_NAME wants "
                f"{rpc.name}Response. One package follows one of them, and says which.",
                f"Say `style: aip`, and buf.yaml leaves those rules out; or give {rpc.name} a response of its own.",
                at(*rpc.location, "response"),
                severity=_unless_released(api, rpc),
            )


def _unless_released(api: Api, rpc: MethodPlan) -> Severity:
    """An error; a warning for an rpc that is released with these types, where to mend it would break callers."""
    old = released_types(api.previous, rpc.service, rpc.name)
    types = tuple(name if "." in name else f"{api.package}.{name}" for name in (rpc.request, rpc.response))
    spelled = tuple(WELL_KNOWN[name][0] if name in WELL_KNOWN else full
                    for name, full in zip((rpc.request, rpc.response), types, strict=True))  # fmt: skip
    return Severity.WARNING if old == spelled else Severity.ERROR


def streams(api: Api) -> Iterator[Finding]:
    """PRT07: a stream that ends in the middle, and nothing says where to go on."""
    for rpc in api.methods:
        if not rpc.streams or rpc.resumable or (rpc.kind == "client-stream" and rpc.deadline_given):
            continue
        cut = "" if rpc.deadline_given else f" Its deadline, {spell_duration(rpc.deadline)}, is a default and cuts it."
        yield finding(
            "PRT07",
            f"{rpc.name} streams, and one that breaks starts from nothing: what was sent is sent again or lost.{cut}",
            "Say how long it may take (`deadline`)."
            if rpc.kind == "client-stream"
            else "Put a place in the stream (`resume_token: string`) into the request and into what is streamed"
            + ("." if rpc.deadline_given else ", and say how long it may take (`deadline`)."),
            at(*rpc.location, "kind"),
            severity=Severity.WARNING if rpc.deadline_given else Severity.ERROR,
        )


def money_and_time(api: Api) -> Iterator[Finding]:
    """PRT08: an amount of money that can't hold a cent, a point in time that everybody spells otherwise."""
    for message in api.messages:
        for part in message.fields:
            last, kind = words(part.name)[-1], field_type(part.asked).name
            if last in policy().fields.money and kind in {"double", "float"}:
                yield _field(
                    message, part, f"{part.name} is {kind}, which can't hold 0.10: sums drift, and differ between "
                    "languages.", "Make it `money` (google.type.Money), or an int64 of the smallest unit.",
                    Severity.ERROR,
                )  # fmt: skip
            elif last in policy().fields.time and (kind == "string" or kind in _WHOLE_NUMBERS):
                yield _field(
                    message, part, f"{part.name} is {kind}: zone, unit and spelling are for each reader to guess.",
                    "Make it `timestamp` (google.protobuf.Timestamp), or say in its name what it is: a duration, a "
                    "local date.", Severity.WARNING,
                )  # fmt: skip


def _field(message: MessagePlan, part: FieldPlan, text: str, fix: str, severity: Severity) -> Finding:
    place = (*message.location, *(("oneof", part.oneof) if part.oneof else ()), part.name)
    return finding("PRT08", text, fix, at(*place), severity=severity, certainty=Certainty.HEURISTIC)


def unsafe_retries(api: Api) -> Iterator[Finding]:
    """PRT09: a retry that is asked for and would do harm. It isn't written into the service config."""
    allowed = policy().retry.allowed
    for rpc in api.methods:
        if rpc.retry_asked and rpc.retry is None:
            yield finding(
                "PRT09",
                f"{rpc.name} asks to be retried. {no_retry(rpc.kind, rpc.idempotency)} The service config holds no "
                "retry for it.",
                "Leave `retry` out."
                if rpc.kind in {"client-stream", "bidi"}
                else "Make it idempotent, with a request id that the server remembers, and say `idempotency: "
                "idempotent`; or leave `retry` out.",
                at(*rpc.location, "retry"),
            )
        if rpc.hedging_asked and (why := no_hedging(rpc.kind, rpc.idempotency)) is not None:
            yield finding(
                "PRT09",
                f"{rpc.name} asks to be hedged. {why} The service config holds no hedging for it.",
                "Leave `hedging` out; what may be repeated after it failed is retried instead.",
                at(*rpc.location, "hedging"),
            )
        if bad := [code for code in dict.fromkeys(rpc.codes_asked) if code not in allowed]:
            meanings = " ".join(f"{code}: {policy().statuses[code].meaning}" for code in bad)
            yield finding(
                "PRT09",
                f"{rpc.name} asks to be retried on {', '.join(bad)}, where trying again can't help or may act twice. "
                f"{meanings} The service config leaves it out.",
                f"Retry on {' or '.join(allowed)} only.",
                at(*rpc.location, "retry", "codes"),
            )


def transcoded_paths(api: Api) -> Iterator[Finding]:
    """PRT10: a released rpc that is no longer where callers over HTTP look for it. buf doesn't look at that."""
    for rpc in api.methods:
        old = _elements(api).get(f"{rpc.service}.{rpc.name}") or _elements(api).get(
            f"{service_name(rpc.service)}.{rpc.name}"
        )
        for option in old.options if old else ():
            if option.startswith(HTTP_OPTION) and option not in rpc.options:
                yield finding(
                    "PRT10",
                    f"{rpc.name} is released as {_bare(option)} and is not any more: whoever calls it over HTTP gets "
                    "404, or another rpc.",
                    "Keep the released path, and offer the new one beside it (additional_bindings).",
                    at(*rpc.location, *(("http",) if rpc.http else ())),
                )


def _elements(api: Api) -> Mapping[str, Element]:
    return api.previous.elements if api.previous else {}


def _bare(option: str) -> str:
    return " ".join(option.partition(" = ")[2].split())


def request_ids(api: Api) -> Iterator[Finding]:
    """IDP04: an rpc that makes something, and a caller that repeats it makes two."""
    for rpc in api.methods:
        request = api.by_name.get(rpc.request)
        if not policy().is_("create", rpc.name) or rpc.idempotency == "no-side-effects" or rpc.streams:
            continue
        if request is not None and any(name in policy().fields.request_id for name in request.by_name):
            continue
        claims = rpc.idempotency == "idempotent"
        yield finding(
            "IDP04",
            f"{rpc.name} makes something and its request has no id: when the answer is lost, the caller who asks again "
            "can't be told from one who asks for a second."
            + (" So it can't be idempotent, as the spec says." if claims else ""),
            "Add `request_id: string` to the request, made by the caller and the same on every try; let the server "
            "remember it with the answer, and say `idempotency: idempotent`.",
            at(*rpc.location, "request"),
            severity=Severity.ERROR if claims else Severity.WARNING,
            certainty=Certainty.HEURISTIC,
        )


def idempotency_levels(api: Api) -> Iterator[Finding]:
    """IDP05: an rpc that doesn't say what a second call does, or whose name says otherwise."""
    for rpc in api.methods:
        reads = policy().reads(rpc.name)
        makes = policy().is_("create", rpc.name) or policy().is_("change", rpc.name)
        if rpc.idempotency is None:
            if reads:
                said = "Say `idempotency: no-side-effects` if it changes nothing."
            else:
                said = "Say `idempotency: idempotent` if a second call changes nothing more, else `non-idempotent`."
            yield finding(
                "IDP05",
                f"Nothing says what a second call of {rpc.name} does, so no client and no proxy may repeat it.",
                said,
                at(*rpc.location),
                severity=Severity.WARNING,
            )
        elif rpc.idempotency == "no-side-effects" and makes:
            yield finding(
                "IDP05",
                f"{rpc.name} is said to have no side effects, and by its name it changes something: proxies may answer "
                "it from a cache, and Connect clients send it as GET.",
                "Say `idempotency: idempotent` or `non-idempotent`.",
                at(*rpc.location, "idempotency"),
                certainty=Certainty.HEURISTIC,
            )
        elif reads and rpc.idempotency not in REPEATABLE:
            yield finding(
                "IDP05",
                f"{rpc.name} reads, by its name, and is said not to be idempotent: callers lose a retry that would "
                "do no harm.",
                "Say `idempotency: no-side-effects`, or name it after what it changes.",
                at(*rpc.location, "idempotency"),
                severity=Severity.WARNING,
                certainty=Certainty.HEURISTIC,
            )


def public_audience(api: Api) -> Iterator[Finding]:
    """PRT12: clients that nobody chose, and a protocol that not all of them speak."""
    if api.audience == "public":
        yield finding(
            "PRT12",
            "A public API is called from browsers, shells and languages that you don't choose. Not all of them speak "
            "gRPC: a browser needs gRPC-Web or Connect, and curl can't call it.",
            "Offer REST with an OpenAPI document, and keep gRPC for calls between services (`audience: internal`); or "
            "go on, if your callers all have a gRPC client.",
            at("audience"),
            severity=Severity.WARNING,
            certainty=Certainty.HEURISTIC,
        )


RULES: tuple[Callable[[Api], Iterator[Finding]], ...] = (
    zero_values,
    unbounded_lists,
    version_of_package,
    shared_types,
    conflicts,
    streams,
    money_and_time,
    unsafe_retries,
    transcoded_paths,
    request_ids,
    idempotency_levels,
    public_audience,
)
