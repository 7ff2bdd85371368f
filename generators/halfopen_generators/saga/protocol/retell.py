"""A run of the model, retold: numbered sentences in the domain's words, and a Mermaid sequence diagram."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from halfopen.checkers.commands import Command, Layout
from halfopen_generators.saga.plan import SagaDesign, StepPlan
from halfopen_generators.saga.protocol import log
from halfopen_generators.saga.protocol.words import AT_THE_END, CHOREOGRAPHED, MESSAGES, ORCHESTRATED, Telling

RUN_NAMES = "ABC"


@dataclass(frozen=True)
class Event:
    """One command of one run, between two states of that run."""

    run: int
    command: Command
    before: int
    after: int


@dataclass(frozen=True)
class Told:
    """A run as sentences and as a diagram."""

    sentences: tuple[str, ...]
    diagram: str


def events_of(actions: Sequence[object], states: Sequence[object]) -> tuple[Event, ...]:
    """The path of one run or of several side by side, as events."""
    found = []
    for action, before, after in zip(actions, states, states[1:], strict=False):
        if isinstance(action, Command):
            run, command, chunks = 0, action, ((before,), (after,))
        else:
            run, command = action  # type: ignore[misc]
            chunks = (before, after)  # type: ignore[assignment]
        found.append(Event(run, command, chunks[0][run], chunks[1][run]))  # type: ignore[arg-type]
    return tuple(found)


class Narrator:
    """Tells runs of one design."""

    def __init__(self, design: SagaDesign, layout: Layout, *, runs: int = 1) -> None:
        self.design = design
        self.layout = layout
        self.runs = runs
        self.tellings = {**(ORCHESTRATED if design.orchestrated else CHOREOGRAPHED)}

    def tell(self, events: Sequence[Event], closing: str = "") -> Told:
        """The whole run; `closing` says what is wrong where the last event does not."""
        sentences: list[str] = []
        drawn: list[str] = []
        for run in range(self.runs):
            opening, lines = self._opening(run)
            sentences.append(opening)
            drawn.extend(lines)
        for event in events:
            said, lines = self._event(event)
            sentences.append(said)
            drawn.extend(lines)
        if closing:
            sentences.append(closing)
            drawn.append(f"Note over {self._lead(0)}: {_plain(closing)}")
        return Told(tuple(sentences), self._diagram(drawn))

    # -- sentences ---------------------------------------------------------------------------------------

    def _opening(self, run: int) -> tuple[str, list[str]]:
        named = self.runs > 1
        if not self.design.orchestrated:
            drawn = [f"Note over {_id(step.service)}: {self.design.trigger}" for step in self._first()]
            starts = f"run {RUN_NAMES[run]}" if named else "a run"
            return f"{self.design.trigger} is published: {starts} starts.", drawn[:1]
        first = [step for step in self.design.steps if not step.after]
        sent = " and ".join(f"{step.action} to {step.service}" for step in first)
        drawn = [f"{self._lead(run)}->>{_id(step.service)}: {step.action}" for step in first]
        starts = f"Run {RUN_NAMES[run]}" if named else "A run"
        return f"{starts} starts: the orchestrator sends {sent}.", drawn

    def _first(self) -> list[StepPlan]:
        return [step for step in self.design.steps if not step.after]

    def _event(self, event: Event) -> tuple[str, list[str]]:
        step = self.design.by_name[event.command.subject]
        kind, _, message = event.command.kind.partition(" ")
        telling = self.tellings[kind]
        words = self._words(step, message)
        said = telling.sentence.format(**words)
        drawn = [line.format(**words, lead=self._lead(event.run)) for line in telling.drawn]
        for text, line in self._consequences(event):
            said += f" {text}"
            drawn.extend(line)
        return f"{self._whose(event.run)}{said}", drawn

    def _words(self, step: StepPlan, message: str) -> dict[str, str]:
        compensation = step.compensation
        undone = compensation.action if compensation else f"the compensation of {step.name}"
        tries = step.retry.attempts
        kind, _, name = message.partition(".")
        what = MESSAGES.get(kind, message).format(action=step.action, compensation=undone) if name else message
        return {
            "step": step.name,
            "service": step.service,
            "at": _id(step.service),
            "action": step.action,
            "compensation": undone,
            "tries": f"{tries} tries" if tries and tries > 1 else "one try",
            "message": what,
            "consumes": " and ".join(step.consumes) or self.design.trigger,
            "emits": f" and publishes {step.emits}" if step.emits else "",
            "emits_on_refusal": f" and publishes {step.emits_on_refusal}" if step.emits_on_refusal else "",
            "emits_undone": f" and publishes {compensation.emits}" if compensation and compensation.emits else "",
            "heard_undo": " or ".join(compensation.consumes) if compensation else "",
        }

    def _consequences(self, event: Event) -> Iterator[tuple[str, list[str]]]:
        """What the orchestrator does in the same step: the eager commands that the event woke."""
        if not self.design.orchestrated or event.command.breaks:
            return
        turns = [phase for phase in AT_THE_END if self._became(event, log.PHASE, phase)]
        yield from (self._phase(event, phase) for phase in turns if phase == log.COMPENSATING)
        for step in self.design.steps:
            for entry, what in ((log.SENT, step.action), (log.UNDOING, self._undo_of(step))):
                if self._became(event, f"log.{step.name}", entry):
                    line = f"{self._lead(event.run)}->>{_id(step.service)}: {what}"
                    yield f"The orchestrator sends {what} to {step.service}.", [line]
        yield from (self._phase(event, phase) for phase in turns if phase != log.COMPENSATING)

    def _phase(self, event: Event, phase: int) -> tuple[str, list[str]]:
        text = AT_THE_END[phase]
        return text, [f"Note over {self._lead(event.run)}: {_plain(text)}"]

    def _undo_of(self, step: StepPlan) -> str:
        return step.compensation.action if step.compensation else ""

    def _became(self, event: Event, variable: str, value: int) -> bool:
        known = self.layout.variables[variable]
        return known.of(event.after) == value != known.of(event.before)

    def _whose(self, run: int) -> str:
        return f"Run {RUN_NAMES[run]}: " if self.runs > 1 else ""

    # -- the diagram -------------------------------------------------------------------------------------

    def _lead(self, run: int) -> str:
        if not self.design.orchestrated:
            return _id(self.design.steps[0].service)
        return f"orchestrator{RUN_NAMES[run]}" if self.runs > 1 else "orchestrator"

    def _diagram(self, drawn: list[str]) -> str:
        lines = ["sequenceDiagram"]
        if self.design.orchestrated:
            for run in range(self.runs):
                name = f"orchestrator {RUN_NAMES[run]}" if self.runs > 1 else "orchestrator"
                lines.append(f"participant {self._lead(run)} as {name}")
        services = dict.fromkeys(step.service for step in self.design.steps)
        lines.extend(f"participant {_id(service)} as {service}" for service in services)
        return "\n    ".join([*lines, *drawn]) + "\n"


def telling_of(kind: str, *, orchestrated: bool) -> Telling:
    """How a kind of command is told.

    Raises:
        KeyError: nobody has written down how; a test makes sure that this can't happen.
    """
    return (ORCHESTRATED if orchestrated else CHOREOGRAPHED)[kind.partition(" ")[0]]


def _id(name: str) -> str:
    """A service's name as Mermaid takes it for an identifier; `end` alone is a word of its own there."""
    return "p_" + name.replace("-", "_")


def _plain(text: str) -> str:
    # A semicolon or a hash would end a Mermaid line.
    return text.replace(";", ",").replace("#", "").rstrip(".")
