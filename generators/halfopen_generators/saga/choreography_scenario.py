"""Runs to replay against generated participants: in which order who hears what, and how the saga must end.

Choreography has no timeout, so its failures are not those of `failures.py`: a step is refused, an event
comes twice, late or out of order, a participant dies at the worst moment. Each gives a scenario, and so
does a counterexample of the checker. What a scenario expects is what must hold (PROTOCOL.md); where the
design as it stands breaks it, `breaks` names the fault and the generated test is expected to fail.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from halfopen.templates import kebab
from halfopen_generators.saga.choreography_run import Handler, Heard, Hearing, Run
from halfopen_generators.saga.plan import SagaDesign, StepPlan
from halfopen_generators.saga.spec import Ending

Killed = tuple[Hearing, str]
KILLS: tuple[Killed, ...] = (
    ("killed-before-publish", "is killed after its commit and before its event is published"),
    ("killed-before-ack", "is killed after its event is published and before it acknowledges"),
)


@dataclass(frozen=True)
class ChoreographyScenario:
    """One run: an exact schedule, and what must be true at its end.

    The participants hear the events of `schedule` in that order; an event may stand there twice, and one
    that doesn't stand there yet waits. Then everything that is still waiting is delivered, oldest first,
    until nobody has anything left to do. `standing` are the steps whose effect stands at the end, in the
    saga's order; `undone` the steps whose compensation is applied, each of them once.
    """

    name: str  # kebab-case, unique within a design
    title: str  # one sentence
    schedule: tuple[Heard, ...]
    outcome: Ending
    standing: tuple[str, ...]
    undone: tuple[str, ...]
    breaks: str | None = None


@dataclass(frozen=True)
class ChoreographyMeeting:
    """Several runs at once over the same resources: who of which run hears what, in order; the rest follows after.

    `told` is what the spec as it stands lets happen, in the words in which the generated tests tell it.
    """

    name: str  # kebab-case, unique within a design
    title: str  # one sentence
    runs: int
    schedule: tuple[tuple[int, Heard], ...]  # the run, counted from 0, and what is heard
    told: tuple[str, ...]  # such as "lost update of stock at reserve"
    breaks: str


def choreography_scenarios(design: SagaDesign) -> tuple[ChoreographyScenario, ...]:
    """Every scenario that follows from the design alone, the happy path first."""
    found: dict[str, ChoreographyScenario] = {}
    for scenario in _all(design):
        found.setdefault(scenario.name, scenario)
    return tuple(found.values())


def scenario_of(
    design: SagaDesign, name: str, title: str, schedule: tuple[Heard, ...], breaks: str | None = None
) -> ChoreographyScenario:
    """A schedule as a scenario: what must hold at its end, and the code of what the design breaks, if any.

    Args:
        design: The saga.
        name: Kebab-case, unique within the design.
        title: One sentence.
        schedule: Who hears what, in order; each event is out by then.
        breaks: The code to blame if this goes wrong, where the caller knows it; else it follows from what does.

    Raises:
        ValueError: the schedule lets somebody hear an event that nobody has published.
    """
    run = Run(design)
    for heard in schedule:
        run.hear(heard)
    run.drain()
    outcome = _must_end(design, schedule)
    everything = tuple(step.name for step in design.steps if not step.read_only)
    undone = () if outcome == "committed" else _must_undo(design, run)
    expected = ChoreographyScenario(
        name, title, schedule, outcome, everything if outcome == "committed" else (), undone
    )
    found = _broken(design, run, expected)
    return replace(expected, breaks=(breaks or found) if found else None)


def _must_end(design: SagaDesign, schedule: tuple[Heard, ...]) -> Ending:
    """Committed unless a step was refused or had to be, because its compensation came first."""
    run = Run(design)
    for heard in schedule:
        run.hear(heard)
    run.drain()
    refused = any(_declined(design, heard) for heard in schedule)
    turned = any(state.undone for state in run.steps.values())
    return "cancelled" if refused or turned else "committed"


def _declined(design: SagaDesign, heard: Heard) -> bool:
    """Whether that is the refusal of an action that turns the run back."""
    retriable = design.by_name[heard.step].kind == "retriable"
    return heard.fate == "refused" and heard.request == "action" and not retriable


def _must_undo(design: SagaDesign, run: Run) -> tuple[str, ...]:
    """Every step that was applied, so that none stands; those that depend on others first."""
    return tuple(
        step.name
        for step in reversed(design.steps)
        if step.compensation is not None and run.count(step.name, "action") and not step.read_only
    )


def _broken(design: SagaDesign, run: Run, expected: ChoreographyScenario) -> str | None:
    """The code of the property that this run breaks; None if all hold."""
    twice = {handler.request for handler in run.effects if run.effects.count(handler) > 1 and _harms(design, handler)}
    declined = [heard.step for heard in run.history if _declined(design, heard)]
    stuck = run.outcome is None
    faults = {
        "SAG07": "action" in twice or any(run.count(step, "action") for step in declined),
        "SAG04": bool(twice),
        "SAG18": bool(run.harm),
        "SAG06": any(_after_its_compensation(run, step) for step in design.steps),
        "SAG02": bool(run.way_back),
        "SAG08": bool(run.too_early),
        _hung(design, run, expected): stuck,
    }
    wrong = not stuck and (run.outcome != expected.outcome or run.standing() != expected.standing)
    return next((code for code, found in faults.items() if found), "SAG11" if wrong else None)


def _harms(design: SagaDesign, handler: Handler) -> bool:
    """Whether applying that twice does harm."""
    step = design.by_name[handler.step]
    if handler.request == "action" or step.compensation is None:
        return not step.idempotent and not step.read_only
    return not step.compensation.idempotent


def _after_its_compensation(run: Run, step: StepPlan) -> bool:
    action, undo = Handler(step.name, "action"), Handler(step.name, "compensation")
    if action not in run.effects:
        return False
    empty = run.steps[step.name].undone and undo not in run.effects
    return empty or (undo in run.effects and run.effects.index(undo) < run.effects.index(action))


def _hung(design: SagaDesign, run: Run, expected: ChoreographyScenario) -> str:
    if any(heard.fate == "killed-before-publish" for heard in run.history):
        return "SAG10"
    heard_of = {event for events in run.handlers.values() for event in events} | set(design.ends)
    unheard = [event for event in run.out if event not in heard_of]
    return "SAG11" if unheard and expected.outcome == "cancelled" else "SAG09"


def _all(design: SagaDesign) -> Iterator[ChoreographyScenario]:
    happy = _history(design, ())
    yield scenario_of(design, "happy-path", "Every step succeeds.", ())
    yield scenario_of(design, "newest-first", "Every event is overtaken by the next.", _newest_first(design, ()))
    yield from _around(design, "", happy, 0)
    for step in design.steps:
        if not step.can_be_refused or not step.consumes:
            continue
        schedule = _refusing(design, step)
        if step.kind == "retriable":
            title = f"{step.name} is refused once and asked again: there is no way back behind the pivot."
            yield scenario_of(design, f"{step.name}-refused-once", title, schedule)
            continue
        yield scenario_of(design, f"{step.name}-refused", f"{step.name} is refused.", schedule)
        history = _history(design, schedule)
        yield from _around(design, f"{step.name}-refused-", history, len(schedule) - 1)
        yield from _early(design, step, schedule)


def _around(design: SagaDesign, prefix: str, history: tuple[Heard, ...], start: int) -> Iterator[ChoreographyScenario]:
    """The same run with each event twice, each participant killed, and everything repeated at its end.

    `start` is where the history begins to differ from those that have been told before.
    """
    said = " (after a refusal)" if prefix else ""
    for place in range(max(start, 0), len(history)):
        heard, up_to = history[place], history[: place + 1]
        what = f"{prefix}{kebab(heard.event)}-to-{_handler_name(heard.handler)}"
        title = f"{_whom(design, heard)} hears {heard.event} twice{said}."
        yield scenario_of(design, f"{what}-twice", title, (*up_to, heard))
        if heard.fate != "handled":
            continue
        for fate, words in KILLS:
            title = f"{_whom(design, heard)} hears {heard.event} and {words}{said}."
            schedule = (*up_to[:-1], replace(heard, fate=fate))
            yield scenario_of(design, f"{what}-{fate}", title, schedule)
    if history:
        again = tuple(replace(heard, fate="handled") for heard in history)
        title = f"After the end every event comes again{said}: nothing is revived."
        yield scenario_of(design, f"{prefix}everything-again", title, (*history, *again))


def _early(design: SagaDesign, refused: StepPlan, schedule: tuple[Heard, ...]) -> Iterator[ChoreographyScenario]:
    """For each step the compensation before the action, where messages that overtake each other allow it."""
    for step in design.steps:
        if step.compensation is None:
            continue
        action = Handler(step.name, "action")
        rest = tuple(heard for heard in schedule if heard.handler != action)
        run = Run(design)
        try:
            for heard in rest:
                run.hear(heard)
        except ValueError:  # the refused step needs this one, so it can't be overtaken
            continue
        run.drain(unless=(action,))
        held = [event for event, handler in run.waiting if handler == action]
        if not run.steps[step.name].undone or set(held) < set(step.consumes):
            continue
        late = tuple(Heard(event, step.name, "action") for event in held)
        title = f"{refused.name} is refused, and the news of it overtakes what {step.name} starts on."
        name = f"{refused.name}-refused-{step.name}-undone-early"
        yield scenario_of(design, name, title, (*run.history, *late))


def _history(design: SagaDesign, schedule: tuple[Heard, ...]) -> tuple[Heard, ...]:
    """The schedule and everything that is heard after it."""
    run = Run(design)
    for heard in schedule:
        run.hear(heard)
    run.drain()
    return tuple(run.history)


def _newest_first(design: SagaDesign, schedule: tuple[Heard, ...]) -> tuple[Heard, ...]:
    run = Run(design)
    for heard in schedule:
        run.hear(heard)
    run.drain(newest_first=True)
    return tuple(run.history)


def _refusing(design: SagaDesign, step: StepPlan) -> tuple[Heard, ...]:
    """What has to be heard for that step to be asked, then its refusal; nothing more."""
    run = Run(design)
    wanted = design.ancestors[step.name]
    while True:
        ready = [
            (event, handler)
            for event, handler in run.waiting
            if handler.request == "action" and (handler.step in wanted or handler.step == step.name)
        ]
        if not ready:
            return ()
        event, handler = ready[0]
        missing = set(step.consumes) - run.steps[step.name].events
        last = handler.step == step.name and missing == {event}
        run.hear(Heard(event, handler.step, handler.request, "refused" if last else "handled"))
        if last:
            return tuple(run.history)


def _handler_name(handler: Handler) -> str:
    return handler.step if handler.request == "action" else f"undo-{handler.step}"


def _whom(design: SagaDesign, heard: Heard) -> str:
    step = design.by_name[heard.step]
    undo = step.compensation
    action = step.action if heard.request == "action" or undo is None else undo.action
    return f"{step.service} ({action})"
