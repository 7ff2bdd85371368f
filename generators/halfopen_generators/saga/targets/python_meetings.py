"""Meetings of several runs as the generated Python tests hold them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from halfopen_generators.saga.plan import SagaDesign
from halfopen_generators.saga.scenario import Delivery, Meeting, Turn
from halfopen_generators.saga.targets.python_names import LINE, laid_out, literal, words_tuple

# Where a meeting's values stand in the generated file.
_INDENT = 8


@dataclass(frozen=True)
class MeetingView:
    """A meeting with its values as Python source."""

    name: str
    title: str
    runs: str
    turns: str
    service: str
    resource: str
    at: str
    told: str
    fails_because: str


def views(meetings: Iterable[Meeting]) -> Iterator[MeetingView]:
    """Each meeting as Python source, in the order given."""
    for meeting in meetings:
        runs = [laid_out([_delivery(each) for each in fates], _INDENT + 4) for fates in meeting.runs]
        yield MeetingView(
            name=literal(meeting.name),
            title=literal(meeting.title),
            runs=laid_out(runs, _INDENT, "runs="),
            turns=laid_out([_turn(turn) for turn in meeting.turns], _INDENT, "turns="),
            service=literal(meeting.service),
            resource=literal(meeting.resource),
            at=words_tuple(meeting.at, _INDENT, "at="),
            told=words_tuple(meeting.told, _INDENT, "told="),
            fails_because=literal(meeting.title if meeting.breaks else ""),
        )


def order_free(design: SagaDesign) -> str:
    """The steps whose writes may come in any order, with the resource: a tuple of pairs as Python source."""
    pairs = [
        (step.name, resource)
        for step in design.steps
        for resource, measure in step.countermeasures.items()
        if measure in ("commutative-update", "version-file")
    ]
    return laid_out([f"({literal(step)}, {literal(resource)})" for step, resource in pairs], 0, "ORDER_FREE = ")


def _delivery(delivery: Delivery) -> str:
    values = [literal(delivery.step), literal(delivery.request), literal(delivery.fate)]
    return _called("Delivery", values, _INDENT + 8)


def _turn(turn: Turn) -> str:
    values = [str(turn.run)]
    if turn.step:
        values.append(literal(turn.step))
    if turn.request != "action":
        values.append(literal(turn.request))
    if turn.reaction != "handled":
        values.append(f"reaction={literal(turn.reaction)}")
    return _called("Turn", values, _INDENT + 4)


def _called(name: str, values: Sequence[str], indent: int) -> str:
    inline = f"{name}({', '.join(values)})"
    # A comma may follow.
    if indent + len(inline) + 1 <= LINE:
        return inline
    lines = "".join(f"{' ' * (indent + 4)}{value},\n" for value in values)
    return f"{name}(\n{lines}{' ' * indent})"
