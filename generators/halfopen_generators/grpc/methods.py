"""How an rpc is called: deadline, pages, stream, idempotency, what may be repeated, and what can go wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from halfopen.durations import spell_duration
from halfopen.protobuf import field_type
from halfopen.source import Location, spell
from halfopen.vocabulary import Decision
from halfopen_generators.grpc.plan import HedgingPlan, RetryPlan
from halfopen_generators.grpc.policy import Verb, policy
from halfopen_generators.grpc.references import fields
from halfopen_generators.grpc.spec import GrpcSpec, Idempotency, Kind, MessageSpec, MethodSpec, Status

LAW_OF_FALLACIES = 1
LAW_OF_RESILIENCE = 5
LAW_OF_IDEMPOTENCY = 7
REPEATABLE: frozenset[Idempotency] = frozenset({"no-side-effects", "idempotent"})


# gRPC counts milliseconds, and refuses a wait of none.
_SHORTEST_WAIT = 0.001


def paginated(name: str, asked: MethodSpec, location: Location, decided: list[Decision]) -> bool:
    """Whether the rpc answers page by page: as the spec says, or if it lists messages."""
    if asked.paginated is not None:
        choice, because = asked.paginated, "The spec asks for it."
    elif asked.kind == "unary" and policy().is_("list", name) and lists(asked.response):
        choice, because = True, "It lists, and a list that grows outgrows every deadline and message limit."
    else:
        return False
    if choice:
        decided.append(
            Decision(
                about=f"{spell(location)}.paginated",
                choice="page_size, page_token and next_page_token",
                because=f"{because} A token says where to go on even while rows come and go.",
                instead_of=("everything at once", "offset and limit, which skip and repeat rows"),
                law=LAW_OF_FALLACIES,
            )
        )
    return choice


def page_fields_of(request: Mapping[str, Any], response: Mapping[str, Any]) -> bool:
    """Whether those fields, by name as a spec file has them, are those of an rpc with pages."""
    wanted = ((request, "page_size", "int32"), (request, "page_token", "string"),
              (response, "next_page_token", "string"))  # fmt: skip
    has_them = all((fields.get(name) or {}).get("type") == kind for fields, name, kind in wanted)
    return has_them and any(
        field_type(part["type"]).label == "repeated" for name, part in response.items() if name != "oneof"
    )


def lists(response: str | MessageSpec) -> bool:
    """Whether the response has a repeated field of its own."""
    return isinstance(response, MessageSpec) and any(
        field_type(part.type).label == "repeated" for part in response.fields.values()
    )


def deadline(asked: MethodSpec, location: Location, decided: list[Decision]) -> float:
    """Seconds that a call may take, all its tries together."""
    if asked.deadline is not None:
        return asked.deadline
    known = policy().deadlines.unary if asked.kind == "unary" else policy().deadlines.stream
    decided.append(
        Decision(
            about=f"{spell(location)}.deadline",
            choice=spell_duration(known.value),
            because=f"Left out, and gRPC's own default is to wait for ever. {known.source}",
            instead_of=("no deadline",),
            law=LAW_OF_RESILIENCE,
        )
    )
    return known.value


def errors(name: str, asked: MethodSpec, location: Location, decided: list[Decision]) -> tuple[Status, ...]:
    """What the rpc itself may fail with; that a call may not get through at all goes without saying."""
    if asked.errors is not None:
        return tuple(dict.fromkeys(asked.errors))
    known = policy().errors
    found: list[Status] = []
    if isinstance(asked.request, str) or any(fields(asked.request)):
        found += known.any
    by_verb: tuple[tuple[Verb, tuple[Status, ...]], ...] = (
        ("read_one", known.read_one),
        ("create", known.create),
        ("change", known.change),
    )
    for verb, statuses in by_verb:
        found += statuses if policy().is_(verb, name) else ()
    decided.append(
        Decision(
            about=f"{spell(location)}.errors",
            choice=", ".join(found) or "none of its own",
            because="Left out: what its name and its request suggest. Each comes as google.rpc.Status, with a detail "
            "that a program can read.",
            instead_of=("a text that only people can read", "an error field in the response"),
            law=LAW_OF_FALLACIES,
        )
    )
    return tuple(dict.fromkeys(found))


def retry(asked: MethodSpec, deadline: float, location: Location, decided: list[Decision]) -> RetryPlan | None:
    """What clients repeat by themselves; nothing where a second call may do harm."""
    about = f"{spell(location)}.retry"
    if asked.hedging is not None and no_hedging(asked.kind, asked.idempotency) is None:
        return None  # gRPC takes one of the two
    if (reason := no_retry(asked.kind, asked.idempotency)) is not None:
        decided.append(
            Decision(about=about, choice="none", because=reason, instead_of=("retryPolicy",), law=LAW_OF_IDEMPOTENCY)
        )
        return None
    known = policy().retry
    wanted = asked.retry
    attempts = (wanted and wanted.attempts) or known.attempts.value
    asked_codes = tuple(dict.fromkeys(wanted.codes)) if wanted else ()
    codes = tuple(code for code in asked_codes if code in known.allowed) or known.codes
    first = max(min(known.first_wait.value, deadline * known.share.value), _SHORTEST_WAIT)
    wait = f"{known.share.value:.0%} of the deadline" if first < known.first_wait.value else spell_duration(first)
    plan = RetryPlan(attempts, first, min(known.longest_wait.value, deadline), known.factor.value, codes)
    decided.append(
        Decision(
            about=about,
            choice=f"{attempts} tries on {', '.join(codes)}, first wait {wait}",
            because="A second call does no harm. "
            + (known.attempts.source if not (wanted and wanted.attempts) else "The spec says how many.")
            + (f" {known.share.source}" if first < known.first_wait.value else ""),
            instead_of=("none", "more codes, which would repeat what can't succeed or may have had its effect"),
            law=LAW_OF_IDEMPOTENCY,
        )
    )
    return plan


def hedging(asked: MethodSpec, deadline: float, location: Location, decided: list[Decision]) -> HedgingPlan | None:
    """What clients send again before there is an answer: reads only, and where the spec asks for it."""
    if asked.hedging is None or no_hedging(asked.kind, asked.idempotency) is not None:
        return None
    known = policy().hedging
    attempts = asked.hedging.attempts or known.attempts.value
    delay = asked.hedging.delay or max(deadline * known.share.value, _SHORTEST_WAIT)
    decided.append(
        Decision(
            about=f"{spell(location)}.hedging",
            choice=f"{attempts} tries, the next after {spell_duration(round(delay, 3))}",
            because="The spec asks for it, and a read changes nothing. "
            + (known.share.source if asked.hedging.delay is None else "The spec says when.")
            + " Java and Node clients do it; those of Go and of C-core (Python, C++) send one try (gRFC A6).",
            instead_of=("retryPolicy, which waits for the first to fail", "one try"),
            law=LAW_OF_RESILIENCE,
        )
    )
    return HedgingPlan(attempts, delay, known.codes)


def no_hedging(kind: Kind, idempotency: Idempotency | None) -> str | None:
    """Why clients must not send such an rpc several times at once; None if they may."""
    if idempotency != "no-side-effects":
        return "Two tries run at once, and each may have its effect: only what has none may be sent so."
    if kind in {"client-stream", "bidi"}:
        return "What the client streams would have to be sent to several servers at once."
    return None


def no_retry(kind: Kind, idempotency: Idempotency | None) -> str | None:
    """Why clients must not repeat such an rpc by themselves; None if they may."""
    if idempotency not in REPEATABLE:
        what = "It is not idempotent" if idempotency else "Whether it is idempotent is not known"
        return f"{what}: an answer that is lost looks like a call that never arrived, and a retry would act again."
    if kind in {"client-stream", "bidi"}:
        return "What the client streamed would have to be kept to be sent again: gRPC gives up once its buffer is full."
    return None


def resumable(spec: GrpcSpec, asked: MethodSpec) -> bool:
    """Whether a stream that broke can be opened anew where it ended: both sides carry the place."""
    return all(_has_place(spec, side) for side in (asked.request, asked.response))


def _has_place(spec: GrpcSpec, side: str | MessageSpec) -> bool:
    """Whether the message, or one that it holds, says where in the stream it stands."""
    return any(name in policy().fields.resume for name in _names(spec, side, depth=1))


def _names(spec: GrpcSpec, side: str | MessageSpec, depth: int) -> Iterator[str]:
    body = spec.messages.get(side) if isinstance(side, str) else side
    for path, _, part in fields(body) if body else ():
        yield str(path[-1])
        if depth and (inner := field_type(part.type).name) in spec.messages:
            yield from _names(spec, inner, depth - 1)


def decide_stream(asked: MethodSpec, location: Location, decided: list[Decision], *, resumable: bool) -> None:
    """Why the rpc streams, and what keeps its two ends in step."""
    if asked.kind == "unary":
        return
    decided.append(
        Decision(
            about=f"{spell(location)}.kind",
            choice=f"{asked.kind}; {'resumed by token' if resumable else 'not resumable'}; flow control by HTTP/2",
            because="The spec asks for the stream. A receiver that reads slowly fills its window and the sender's "
            "write waits: write from one place, keep no unbounded queue before it, and end the stream of a receiver "
            "that stays behind. "
            + (
                "A stream that broke is opened anew with the last token seen."
                if resumable
                else "A stream that broke starts from nothing."
            ),
            instead_of=("unary calls that ask again", "events over a broker, which keeps them while nobody listens"),
            law=LAW_OF_FALLACIES,
        )
    )


def decide_idempotency(asked: MethodSpec, location: Location, decided: list[Decision]) -> None:
    """What the rpc promises of a second call."""
    if asked.idempotency is not None:
        return
    decided.append(
        Decision(
            about=f"{spell(location)}.idempotency",
            choice="IDEMPOTENCY_UNKNOWN",
            because="Left out: nobody but its author knows what a second call does, so it is taken to do harm.",
            instead_of=("no-side-effects", "idempotent", "non-idempotent"),
            law=LAW_OF_IDEMPOTENCY,
        )
    )
