"""One run of a choreographed saga, played by the rules of PROTOCOL.md one hearing at a time.

It tells what a schedule of deliveries leads to, so that the generated tests know what to expect, and it
says which property a schedule breaks. It explores nothing: the checker does that.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from halfopen_generators.saga.plan import SagaDesign, StepPlan
from halfopen_generators.saga.spec import Ending

Request = Literal["action", "compensation"]

# handled                the participant handles the event, and a business rule that is asked says yes
# refused                the same, and the business rule says no
# killed-before-publish  the transaction commits; the process is killed before its event is published
# killed-before-ack      the event is published too; the process is killed before it acknowledges
Hearing = Literal["handled", "refused", "killed-before-publish", "killed-before-ack"]


@dataclass(frozen=True)
class Handler:
    """What one step does with its events: its action once all are in, or its compensation on any one."""

    step: str
    request: Request


@dataclass(frozen=True)
class Heard:
    """One delivery: this handler hears this event, and this becomes of it."""

    event: str
    step: str
    request: Request
    fate: Hearing = "handled"

    @property
    def handler(self) -> Handler:
        """Who hears it."""
        return Handler(self.step, self.request)


@dataclass
class _StepState:
    events: set[str] = field(default_factory=set)
    acted: Literal["no", "done", "refused"] = "no"
    undone: bool = False


def handlers(design: SagaDesign) -> dict[Handler, tuple[str, ...]]:
    """Every handler and the events that it consumes, in the saga's order."""
    found: dict[Handler, tuple[str, ...]] = {}
    for step in design.steps:
        if step.consumes:
            found[Handler(step.name, "action")] = step.consumes
        if step.compensation is not None and step.compensation.consumes:
            found[Handler(step.name, "compensation")] = step.compensation.consumes
    return found


class Run:
    """The state of a run: events that are out, who has yet to hear them, and every effect so far.

    `effects` are the actions and compensations that were applied, in that order.
    """

    def __init__(self, design: SagaDesign) -> None:
        self.design = design
        self.handlers = handlers(design)
        self.steps = {step.name: _StepState() for step in design.steps}
        self.out: list[str] = []
        self.waiting: list[tuple[str, Handler]] = []
        self.effects: list[Handler] = []
        self.harm: list[str] = []  # compensations of what never ran
        self.too_early: list[tuple[str, str]] = []  # undone while the other, which came after it, stood
        self.way_back: list[str] = []  # undone behind the pivot's back
        self.history: list[Heard] = []
        self._publish(design.trigger)

    def hear(self, heard: Heard) -> None:
        """Let that handler hear that event. The event must be out.

        Raises:
            ValueError: nobody has published the event yet.
        """
        if heard.event not in self.out:
            raise ValueError(f"{heard.event} is not out when {heard.step} is to hear it")
        self.history.append(heard)
        acknowledged = not heard.fate.startswith("killed")
        entry = (heard.event, heard.handler)
        if heard.request == "action":
            emitted, again = self._act(heard)
        else:
            emitted, again = self._undo(heard)
        if acknowledged and not again and entry in self.waiting:
            self.waiting.remove(entry)
        participant = self.design.participants[self.design.by_name[heard.step].service]
        lost = heard.fate == "killed-before-publish" and not participant.keeps("publishes_atomically")
        if emitted and not lost:
            self._publish(emitted)

    def drain(self, *, newest_first: bool = False, unless: Iterable[Handler] = ()) -> None:
        """Deliver what is out until nobody has anything left to hear; `unless` hear nothing."""
        deaf = frozenset(unless)
        # A sound bound for designs whose events go round in a circle: each handler hears each event twice.
        for _ in range(4 * len(self.handlers) * (len(self.design.steps) + 2)):
            ready = [entry for entry in self.waiting if entry[1] not in deaf]
            if not ready:
                return
            event, handler = ready[-1 if newest_first else 0]
            self.hear(Heard(event, handler.step, handler.request))

    def _act(self, heard: Heard) -> tuple[str | None, bool]:
        """What is emitted, and whether the event has to come again."""
        step, state = self.design.by_name[heard.step], self.steps[heard.step]
        keeps = self.design.participants[step.service].keeps
        state.events.add(heard.event)
        if state.events < set(step.consumes) or (state.acted != "no" and keeps("deduplicates")):
            return None, False
        if state.undone and keeps("refuses_late_actions"):
            # Nothing is said either: the event of its compensation has told everybody already.
            return None, False
        if heard.fate == "refused" and step.kind == "retriable":
            return None, True
        if heard.fate == "refused":
            state.acted = "done" if state.acted == "done" else "refused"
            return step.emits_on_refusal, False
        state.acted = "done"
        self.effects.append(heard.handler)
        return step.emits, False

    def _undo(self, heard: Heard) -> tuple[str | None, bool]:
        step, state = self.design.by_name[heard.step], self.steps[heard.step]
        keeps = self.design.participants[step.service].keeps
        compensation = step.compensation
        if compensation is None or (state.undone and keeps("deduplicates")) or state.acted == "refused":
            return None, False
        if heard.fate == "refused":
            return None, True
        state.undone = True
        if state.acted == "done":
            self._note_order(step)
            self.effects.append(heard.handler)
        elif not keeps("accepts_empty_compensation"):
            self.effects.append(heard.handler)
            self.harm.append(step.name)
        return compensation.emits, False

    def _note_order(self, step: StepPlan) -> None:
        """Note what must not stand any more when this step is undone."""
        standing = self.standing()
        self.too_early += [
            (step.name, other)
            for other in self.design.dependents[step.name]
            if other in standing and self.design.by_name[other].compensation is not None
        ]
        pivot = self.design.pivot
        if pivot is not None and pivot is not step and pivot.name in standing:
            self.way_back.append(step.name)

    def _publish(self, event: str) -> None:
        if event not in self.out:
            self.out.append(event)
        for handler, events in self.handlers.items():
            if event in events:
                self.waiting.append((event, handler))

    @property
    def outcome(self) -> Ending | None:
        """How the run ended; None if no end is out. A run with two different ends has the worse one."""
        endings = {self.design.ends[event] for event in self.out if event in self.design.ends}
        if not endings:
            return None
        return "committed" if endings == {"committed"} else "cancelled"

    def count(self, step: str, request: Request) -> int:
        """How often that was applied."""
        return self.effects.count(Handler(step, request))

    def standing(self) -> tuple[str, ...]:
        """The steps whose effect stands, in the saga's order."""
        return tuple(
            step.name
            for step in self.design.steps
            if not step.read_only and self.count(step.name, "action") and not self.count(step.name, "compensation")
        )

    def undone(self) -> tuple[str, ...]:
        """The steps whose compensation was applied, in that order."""
        return tuple(handler.step for handler in self.effects if handler.request == "compensation")
