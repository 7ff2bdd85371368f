"""Mermaid text of a saga: a run that succeeds, one that fails, and the states a run goes through.

Identifiers are numbered and names stand in labels, so that a step called `end` or `loop` can't be taken
for a word of Mermaid.
"""

from __future__ import annotations

from collections.abc import Iterator

from halfopen.durations import spell_duration
from halfopen_generators.saga.failures import FailureRow, failure_table
from halfopen_generators.saga.plan import SagaDesign, StepPlan

_INDENT = "    "


def good_run(design: SagaDesign) -> str:
    """The run in which every step is answered."""
    lines = _orchestrated_run(design) if design.orchestrated else _choreographed_run(design, None)
    return _text("sequenceDiagram", lines)


def failed_run(design: SagaDesign) -> tuple[str, str]:
    """A title and the run in which the most is undone; where nothing can be undone, a failure survived."""
    if not design.orchestrated:
        refusing = _refusing_step(design)
        title = f"{refusing.name} is refused" if refusing else "no step may be refused"
        return title, _text("sequenceDiagram", _choreographed_run(design, refusing))
    row = telling_failure(design)
    return f"{row.step} {row.words}", _text("sequenceDiagram", _failed_lines(design, row))


def telling_failure(design: SagaDesign) -> FailureRow:
    """The row of the failure table that undoes the most; among equals a refusal, then the earliest."""
    return max(failure_table(design), key=lambda row: (len(row.undone), row.failure == "refused"))


def states(design: SagaDesign) -> str:
    """The states of a run, and what leads from one to the next."""
    lines = _orchestrated_states(design) if design.orchestrated else _event_states(design)
    return _text("stateDiagram-v2", lines)


def _text(kind: str, lines: Iterator[str]) -> str:
    return "\n".join([kind, *(_INDENT + line for line in lines)])


def _participants(design: SagaDesign, names: frozenset[str]) -> dict[str, str]:
    """The participants drawn, by name: their identifiers, in the order of the spec."""
    return {name: f"p{index}" for index, name in enumerate(design.participants) if name in names}


def _head(design: SagaDesign, steps: Iterator[StepPlan], leader: str) -> tuple[dict[str, str], list[str]]:
    ids = _participants(design, frozenset(step.service for step in steps))
    return ids, [
        f"participant o as {_label(leader)}",
        *(f"participant {key} as {_label(name)}" for name, key in ids.items()),
    ]


def _label(name: str) -> str:
    # Mermaid's lexer takes the bare word `end` for the close of a block, wherever it stands.
    return f"{name[0]}#8203;{name[1:]}" if name.lower() == "end" else name


def _orchestrated_run(design: SagaDesign) -> Iterator[str]:
    ids, head = _head(design, iter(design.steps), f"{design.name} orchestrator")
    yield from head
    yield f"Note over o: {design.trigger} starts a run"
    for level in _levels(design):
        if len(level) == 1:
            yield from _answered(ids, level[0])
            continue
        for index, step in enumerate(level):
            yield "and at the same time" if index else "par at the same time"
            yield from (_INDENT + line for line in _answered(ids, step))
        yield "end"
    yield "Note over o: committed"


def _levels(design: SagaDesign) -> list[tuple[StepPlan, ...]]:
    """The steps by how many come before them at most: those of one level can run at the same time."""
    depth: dict[str, int] = {}
    for step in design.steps:
        depth[step.name] = max((depth[name] + 1 for name in step.after), default=0)
    return [
        tuple(step for step in design.steps if depth[step.name] == level) for level in range(max(depth.values()) + 1)
    ]


def _answered(ids: dict[str, str], step: StepPlan) -> Iterator[str]:
    key = ids[step.service]
    yield f"o->>{key}: {step.action}"
    yield f"{key}-->>o: done"
    if step.kind == "pivot":
        yield f"Note over o: {step.name} is the pivot, from here only forward"


def _failed_lines(design: SagaDesign, row: FailureRow) -> Iterator[str]:
    drawn = [design.by_name[name] for name in dict.fromkeys((*row.done, row.step, *row.undone))]
    ids, head = _head(design, iter(drawn), f"{design.name} orchestrator")
    yield from head
    yield f"Note over o: {design.trigger} starts a run"
    for name in row.done:
        if name != row.step:
            yield from _answered(ids, design.by_name[name])
    yield from _failing(ids, design.by_name[row.step], row)
    for name in row.undone:
        step = design.by_name[name]
        if step.compensation is not None:
            yield f"o->>{ids[step.service]}: {step.compensation.action}"
            yield f"{ids[step.service]}-->>o: done"
    after = "the run goes on and ends committed" if row.outcome == "committed" else "cancelled"
    yield f"Note over o: {after}"


def _failing(ids: dict[str, str], step: StepPlan, row: FailureRow) -> Iterator[str]:
    key = ids[step.service]
    if row.failure == "refused":
        yield f"o->>{key}: {step.action}"
        yield f"{key}-->>o: refused"
        return
    if row.failure == "orchestrator-crash":
        yield from _answered(ids, step)
        yield "Note over o: crashes, then recovers from its log"
        return
    tries = "until it answers" if step.retry.attempts is None else f"{step.retry.attempts} tries in all"
    yield f"loop {tries}, each given up after {spell_duration(step.timeout)}"
    if row.failure == "never-delivered":
        yield f"{_INDENT}o-x{key}: {step.action} (lost)"
    else:
        yield f"{_INDENT}o->>{key}: {step.action}"
        yield f"{_INDENT}{key}--xo: done (lost)"
    yield "end"
    if step.retry.attempts is None:
        yield f"o->>{key}: {step.action}"
        yield f"{key}-->>o: done"
    else:
        yield f"Note over o: {step.name} is unknown"


def _refusing_step(design: SagaDesign) -> StepPlan | None:
    """The last step that may be refused: most of what can be undone stands when it strikes."""
    refusing = [step for step in design.steps if step.can_be_refused and step.emits_on_refusal]
    return refusing[-1] if refusing else None


def _choreographed_run(design: SagaDesign, refusing: StepPlan | None) -> Iterator[str]:
    """The events of a run, each from who emits it to who hears it, with what that one then does."""
    before = design.ancestors[refusing.name] | {refusing.name} if refusing else frozenset(design.by_name)
    drawn = [step for step in design.steps if step.name in before]
    ids, head = _head(design, iter(drawn), "whoever starts a run")
    yield from head
    emitted: list[tuple[str, str]] = [(design.trigger, "o")]
    for step in drawn:
        key = ids[step.service]
        for event, source in emitted:
            if event in step.consumes:
                yield f"{source}-){key}: {event}"
        refuses = step is refusing
        yield f"Note over {key}: {step.action}{' is refused' if refuses else ''}"
        event_out = step.emits_on_refusal if refuses else step.emits
        if event_out:
            emitted.append((event_out, key))
            yield from _end(design, event_out, key)
    if refusing is not None and refusing.emits_on_refusal:
        done = [step for step in drawn if step is not refusing]
        yield from _undoing(design, ids, done, emitted[-1])


def _end(design: SagaDesign, event: str, key: str) -> Iterator[str]:
    if event in design.ends:
        yield f"Note over {key}: {event}, the run is {design.ends[event]}"


def _undoing(design: SagaDesign, ids: dict[str, str], done: list[StepPlan], failure: tuple[str, str]) -> Iterator[str]:
    waiting = [failure]
    standing = list(done)
    while waiting:
        event, source = waiting.pop(0)
        for step in [s for s in standing if s.compensation and event in s.compensation.consumes]:
            key = ids[step.service]
            standing.remove(step)
            yield f"{source}-){key}: {event}"
            if step.compensation is None:
                continue
            yield f"Note over {key}: {step.compensation.action}"
            if step.compensation.emits:
                waiting.append((step.compensation.emits, key))
                yield from _end(design, step.compensation.emits, key)


def _orchestrated_states(design: SagaDesign) -> Iterator[str]:
    behind = [step for step in design.steps if step.kind == "retriable"]
    ahead = [step for step in design.steps if step.kind != "retriable"]
    yield "direction TB"
    yield from _composite("ahead", "running, may still turn back", ahead)
    yield from _composite("behind", "running, only forward", behind)
    undoing = [step for step in design.steps if step.compensation is not None]
    yield from _compensating(design, undoing)
    yield f"[*] --> {'ahead' if ahead else 'behind'}: {design.trigger}"
    if ahead and behind:
        yield f"ahead --> behind: {design.pivot.name if design.pivot else 'every step'} done"
    yield f"{'behind' if behind else 'ahead'} --> committed: every step done"
    if ahead:
        target = "compensating" if undoing else "cancelled"
        yield f"ahead --> {target}: refused, or tries spent"
    if ahead and undoing:
        yield "compensating --> cancelled: everything undone"
        yield "cancelled --> [*]"
    elif ahead:
        yield "cancelled --> [*]"
    yield "committed --> [*]"


def _composite(key: str, label: str, steps: list[StepPlan]) -> Iterator[str]:
    if not steps:
        return
    inside = {step.name for step in steps}
    yield f'state "{label}" as {key} {{'
    for step in steps:
        yield f'{_INDENT}state "{step.name}" as s{step.index}'
    numbers = {step.name: step.index for step in steps}
    for step in steps:
        befores = [name for name in step.after if name in inside]
        if not befores:
            yield f"{_INDENT}[*] --> s{step.index}"
        for name in befores:
            yield f"{_INDENT}s{numbers[name]} --> s{step.index}"
    yield "}"


def _compensating(design: SagaDesign, undoing: list[StepPlan]) -> Iterator[str]:
    if not undoing:
        return
    yield 'state "compensating" as compensating {'
    for step in undoing:
        if step.compensation is not None:
            yield f'{_INDENT}state "{step.compensation.action}" as u{step.index}'
    for step in reversed(undoing):
        for name in sorted(_nearest_undone(design, step), key=lambda name: design.by_name[name].index):
            yield f"{_INDENT}u{step.index} --> u{design.by_name[name].index}"
    yield "}"


def _nearest_undone(design: SagaDesign, step: StepPlan) -> frozenset[str]:
    """The steps that are undone next after this one: through those without a compensation to their own."""
    found: frozenset[str] = frozenset()
    for name in step.after:
        before = design.by_name[name]
        found |= {name} if before.compensation else _nearest_undone(design, before)
    return found


def _event_states(design: SagaDesign) -> Iterator[str]:
    """Choreography has no run to ask: what is known of it are the events that are out."""
    edges = list(dict.fromkeys(_event_edges(design)))
    events = list(dict.fromkeys(event for before, _, after in edges for event in (before, after)))
    ids = {event: f"e{index}" for index, event in enumerate(events)}
    for event, key in ids.items():
        yield f'state "{event}" as {key}'
    yield f"[*] --> {ids[design.trigger]}" if design.trigger in ids else f"[*] --> {next(iter(ids.values()))}"
    for before, what, after in edges:
        yield f"{ids[before]} --> {ids[after]}: {what}"
    for event, ending in design.ends.items():
        if event in ids:
            yield f"{ids[event]} --> {ending}"
    yield from (f"{ending} --> [*]" for ending in dict.fromkeys(design.ends.values()))


def _event_edges(design: SagaDesign) -> Iterator[tuple[str, str, str]]:
    for step in design.steps:
        for event in step.consumes:
            if step.emits:
                yield event, step.action, step.emits
            if step.emits_on_refusal:
                yield event, f"{step.action} refused", step.emits_on_refusal
        undo = step.compensation
        if undo is not None and undo.emits:
            for event in undo.consumes:
                yield event, undo.action, undo.emits
