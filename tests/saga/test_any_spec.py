"""Whatever a spec says, it is designed, checked and rendered, or refused in words; and verdicts agree across modes."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from halfopen.checkers.explore import Budget, explore
from halfopen.progress import Silent
from halfopen.registry import capability
from halfopen.run import run
from halfopen.source import BadInput, Problem, Source
from halfopen.vocabulary import Outcome, Report
from halfopen_generators.saga.options import SagaOptions
from halfopen_generators.saga.protocol.choreography import Choreography
from tests.saga.designs import ALL_GUARANTEES, designed

EVENTS = ["Placed", "OneDone", "TwoDone", "OneFailed", "TwoFailed", "OneUndone", "TwoUndone"]
some_events = st.lists(st.sampled_from(EVENTS), max_size=2, unique=True)
an_event = st.none() | st.sampled_from(EVENTS)
quick = settings(
    max_examples=60,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


CHANGES = {"compensation", "writes", "countermeasures", "irreversible"}


@st.composite
def specs(draw: st.DrawFn, *, style: str | None = None) -> dict[str, Any]:
    """Any spec that the schema lets through, sensible or not."""
    names = ["a", "b", "c"][: draw(st.integers(1, 3))]
    steps = []
    for name in names:
        step: dict[str, Any] = {
            "name": name,
            "service": draw(st.sampled_from(["x", "y"])),
            "action": f"Do{name.upper()}",
        }
        for flag in ("can_be_refused", "read_only", "irreversible", "idempotent"):
            if draw(st.booleans()):
                step[flag] = True
        if draw(st.booleans()):
            undo = {"action": f"Undo{name.upper()}", "consumes": draw(some_events), "emits": draw(an_event)}
            step["compensation"] = undo | {"can_be_refused": draw(st.booleans())}
        if (kind := draw(st.sampled_from([None, "compensatable", "pivot", "retriable"]))) is not None:
            step["kind"] = kind
        if draw(st.booleans()):
            step["after"] = draw(st.lists(st.sampled_from(names), max_size=2, unique=True))
        step |= {"consumes": draw(some_events), "emits": draw(an_event), "emits_on_refusal": draw(an_event)}
        if draw(st.booleans()):
            step["writes"] = ["r"]
            step["countermeasures"] = draw(st.sampled_from([{}, {"r": "semantic-lock"}, {"r": "by-value"}]))
        if step.get("read_only"):
            # What changes nothing is undone by nothing, and writes nothing; a spec that says so is refused.
            step = {key: value for key, value in step.items() if key not in CHANGES}
        steps.append(step)
    ends = {event: draw(st.sampled_from(["committed", "cancelled"])) for event in draw(some_events)}
    maybe = st.sampled_from([True, False, None])
    services = {
        name: {guarantee: draw(maybe) for guarantee in ALL_GUARANTEES} | {"external": draw(st.booleans())}
        for name in ("x", "y")
    }
    chosen = style or draw(st.sampled_from([None, "orchestration", "choreography", "event-sourced"]))
    spec = {"saga": "any", "steps": steps, "ends": ends, "services": services, "trigger": draw(an_event)}
    return spec | {"instances": draw(st.sampled_from([1, 2]))} | ({"style": chosen} if chosen else {})


def answered(spec: dict[str, Any], options: SagaOptions) -> tuple[Report | None, tuple[Problem, ...]]:
    """The report, or what the spec was refused for."""
    try:
        return run(capability("saga"), Source(spec), options, Silent()), ()
    except BadInput as refused:
        return None, refused.problems


@quick
@given(specs())
def test_a_spec_is_answered_or_refused_in_words(spec: dict[str, Any]) -> None:
    options = SagaOptions(max_states=20_000, max_seconds=20)
    report, problems = answered(spec, options)
    if report is None:
        assert all(problem.message and str(problem) for problem in problems)
        assert problems
        return
    assert report.artifacts
    broken = [verdict for verdict in report.verdicts if verdict.outcome is Outcome.VIOLATED]
    # What is broken is told, and what is told to be broken has a run or a rule behind it.
    assert all(verdict.path for verdict in broken)
    assert bool(broken) <= bool(report.findings)


@quick
@given(specs(style="choreography"))
def test_a_choreography_that_breaks_within_bounds_breaks_without(spec: dict[str, Any]) -> None:
    try:
        design = designed(spec)
    except BadInput:
        return
    exact, unbounded = (Choreography(design, exact=exact) for exact in (True, False))
    small = explore(exact.model, budget=Budget(states=20_000, seconds=20))
    large = explore(unbounded.model, budget=Budget(states=20_000, seconds=20))
    ruled_out = {label for label, breach in unbounded.breaches.items() if unbounded.builder.ruled_out(breach)}
    # Nothing is explored beyond a broken promise, so the two may break at different ones; but not only the bounded one.
    if not set(large.violations) - ruled_out:
        assert set(small.violations) <= set(large.violations)
