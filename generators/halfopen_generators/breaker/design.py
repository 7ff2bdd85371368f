"""Every decision about a call's resilience: pure, from the spec and the policy alone, each with its reason."""

from __future__ import annotations

from collections.abc import Iterator

from halfopen.durations import spell_duration
from halfopen.quantities import spell_rate
from halfopen.registry import Options
from halfopen.source import Location, Source, spell
from halfopen.vocabulary import Decision
from halfopen_generators.breaker import openings
from halfopen_generators.breaker.contradictions import calls, check_figures
from halfopen_generators.breaker.formulas import places
from halfopen_generators.breaker.latency import Latency
from halfopen_generators.breaker.plan import CallPlan, Known, Layer, Policy
from halfopen_generators.breaker.policy import policy
from halfopen_generators.breaker.shares import shares
from halfopen_generators.breaker.spec import BreakerSpec, Call
from halfopen_generators.breaker.tries import safety, tries
from halfopen_generators.breaker.upstream import around

RESILIENCE_LAW = 5


def design(spec: BreakerSpec, source: Source, options: Options) -> Policy:
    """The policy with everything decided.

    Raises:
        BadInput: figures in the spec contradict each other, or the architecture can't be read.
    """
    del options  # what is tuned is looked for by `check`
    check_figures(spec, source)
    decided: list[Decision] = []
    above, shared = around(spec, source)
    planned = _calls(spec, decided)
    found, roles = shares(spec.stacks)
    return Policy(
        name=f"{planned[-1].name}",
        calls=planned,
        shares=found,
        upstream=above,
        objective=spec.objective,
        spec=spec,
        decisions=(*decided, *roles),
        shared=shared,
    )


def _calls(spec: BreakerSpec, decided: list[Decision]) -> tuple[CallPlan, ...]:
    """All calls, planned from the innermost outwards, since each has to wait for those within; told outermost first."""
    planned: list[CallPlan] = []
    told: list[list[Decision]] = []
    for location, call in reversed(list(calls(spec))):
        told.append([])
        beneath = planned[-1] if planned else None
        planned.append(_call(call, location, told[-1], _inner_retry(spec, location), beneath))
    decided += [decision for several in reversed(told) for decision in several]
    return tuple(reversed(planned))


def _inner_retry(spec: BreakerSpec, location: Location) -> str | None:
    """The call further in that tries again, so that this one doesn't: the innermost of the chain that may."""
    if len(spec.chain) == 1:
        return None
    places = list(calls(spec))
    last = next((place for place, call in reversed(places) if safety(call) != "unsafe" and not call.retried_by), None)
    if last is None or last == location:
        return None
    call = dict(places)[last]
    return f"{call.caller} retries {call.operation} of {call.dependency}"


def _call(
    call: Call, location: Location, decided: list[Decision], elsewhere: str | None, beneath: CallPlan | None
) -> CallPlan:
    about = f"{spell(location)}." if location else ""
    known = _known(call, about, decided)
    tried = tries(call, known, about, elsewhere, beneath)
    breaker, about_breaker = openings.breaker(call, known, tried.timeout, about)
    bulkhead, about_bulkhead = openings.bulkhead(call, known, about)
    limit, about_limit = openings.limit(call, known, about)
    hedge, about_hedge = openings.hedge(call, known, tried, about)
    decided += [*tried.decisions, *about_breaker, *about_bulkhead, *about_limit, *about_hedge]
    decided += _about_fallback(call, about)
    there: dict[Layer, object] = {
        "fallback": call.fallback not in (None, "none"),
        "retry": tried.retry,
        "breaker": breaker,
        "limit": limit,
        "bulkhead": bulkhead,
        "timeout": tried.timeout,
    }
    layers = tuple(layer for layer, wanted in there.items() if wanted)
    decided.append(_about_layers(layers, about))
    return CallPlan(
        caller=call.caller,
        dependency=call.dependency,
        operation=call.operation,
        location=location,
        safety=safety(call),
        key=call.idempotency_key,
        known=known,
        criticality=call.criticality,
        fallback=None if call.fallback == "none" else call.fallback,
        fallback_dependency=call.fallback_dependency,
        retried_by=call.retried_by,
        timeout=tried.timeout,
        retry=tried.retry,
        breaker=breaker,
        bulkhead=bulkhead,
        limit=limit,
        hedge=hedge,
        layers=layers,
        deadline=call.deadline,
        per_shard=call.breaker.per_shard if call.breaker else True,
    )


def _known(call: Call, about: str, decided: list[Decision]) -> Known:
    """What the spec says, and what has to be taken for true where it doesn't."""
    assumed = policy().known
    latency = Latency.through(call.latency.p50, call.latency.p99, call.latency.p999)
    known = Known(
        rate=call.traffic.rate,
        quiet_rate=call.traffic.quiet_rate or call.traffic.rate * assumed.quiet.value,
        instances=call.traffic.instances,
        p50=latency.p50,
        p99=latency.p99,
        p999=latency.p999,
        error_rate=call.error_rate,
        recovery_time=call.recovery_time or assumed.recovery.value,
        shards=call.shards,
        hosts=call.hosts,
        capacity=call.capacity or _capacity(call, latency),
    )
    small = known.capacity > call.traffic.rate * assumed.capacity.value
    why_capacity = assumed.busy.source if small else assumed.capacity.source
    for key, given, taken, because in (
        ("traffic.quiet_rate", call.traffic.quiet_rate, spell_rate(known.quiet_rate), assumed.quiet.source),
        ("capacity", call.capacity, spell_rate(known.capacity), why_capacity),
        ("recovery_time", call.recovery_time, spell_duration(known.recovery_time), assumed.recovery.source),
    ):
        if given is None:
            decided.append(Decision(about=f"{about}{key}", choice=f"taken to be {taken}", because=because))
    return known


def _capacity(call: Call, latency: Latency) -> float:
    """What a dependency is taken to do: more where it is small, since a small one is busy by chance more often."""
    assumed = policy().known
    servers = places(call.traffic.rate * latency.mean, assumed.busy.value)
    return max(call.traffic.rate * assumed.capacity.value, float(f"{servers / latency.mean:.4g}"))


def _about_fallback(call: Call, about: str) -> Iterator[Decision]:
    if call.fallback is not None:
        return
    if call.criticality == "critical":
        because = (
            f"{call.operation} is critical: an error that comes at once is better than an answer that was made up, and "
            "a fallback that seldom runs fails when it is needed."
        )
    else:
        because = "None is named. What is degradable has something less to show: say `cache`, `queue` or `default`."
    yield Decision(
        about=f"{about}fallback",
        choice="none",
        because=because,
        instead_of=("every call has a fallback (note fallback-seldom-pays)",),
        law=RESILIENCE_LAW,
    )


def _about_layers(layers: tuple[Layer, ...], about: str) -> Decision:
    because = (
        "Each try passes the breaker, so that it counts tries, and a rejection of the open breaker is not tried again; "
        "the timeout is innermost, so that it bounds one try."
    )
    choice = " around ".join(layers)
    instead = ("the breaker around the retries: it would count a call once, however often it was tried",)
    return Decision(about=f"{about}layers", choice=choice, because=because, instead_of=instead, law=RESILIENCE_LAW)
