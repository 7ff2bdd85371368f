"""One run of a choreographed saga as guarded commands: PROTOCOL.md, its section on choreography.

Variables of a step `k`: `applied.k`, `undone.k`, `declined.k` as in orchestration; `event.E` whether event E
was ever published. Without bounds an event that is out stays out, for every consumer to hear again at any time;
in exact mode each consumer has its copies, `E>k` for the action of step k and `E>~k` for its compensation.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from halfopen.checkers.commands import Command, CommandModel, Layout
from halfopen.checkers.explore import EVERY_RUN_ENDS
from halfopen_generators.saga.plan import SagaDesign, StepPlan
from halfopen_generators.saga.protocol.builder import CRASHES, DUPLICATED, Builder
from halfopen_generators.saga.protocol.isolation import Resources, Variation, over_another
from halfopen_generators.saga.protocol.participants import undone_before
from halfopen_generators.saga.protocol.promises import (
    ALL_OR_COMPENSATED,
    COMPENSATIONS_IN_ORDER,
    NO_ACTION_AFTER_COMPENSATION,
    NO_EFFECT_TWICE,
    NO_HARMFUL_COMPENSATION,
    NO_WAY_BACK,
    Breach,
)


class ChoreographyModel(CommandModel):
    """Commands, and what it means that nobody has anything left to do."""

    def __init__(
        self, layout: Layout, commands: Iterable[Command], start: Mapping[str, int], run: Choreography
    ) -> None:
        super().__init__(layout, commands, start=start)
        # Any of these out, and all that has happened fits it.
        self._committed = layout.mask_of(run.out("committed"))
        self._cancelled = layout.mask_of(run.out("cancelled"))
        self._names = [step.name for step in run.design.steps if not step.read_only]
        self._effects = tuple(
            (layout.variables[f"applied.{name}"].mask, layout.variables[f"undone.{name}"].mask) for name in self._names
        )
        self.ended = self._ended
        self.half_done = Breach(ALL_OR_COMPENSATED, "SAG11", run.design.steps[0].name).label

    def _ended(self, state: int) -> bool:
        if state & self._committed and not state & self._cancelled:
            return all(state & applied and not state & undone for applied, undone in self._effects)
        if state & self._cancelled and not state & self._committed:
            return all(state & undone or not state & applied for applied, undone in self._effects)
        return False

    def out_of_line(self, state: int) -> str | None:
        """The first step whose effect is not what the events that are out say; None if there is none."""
        for name, (applied, undone) in zip(self._names, self._effects, strict=True):
            stands = state & applied and not state & undone
            if (state & self._cancelled and stands) or (state & self._committed and not stands):
                return name
        return None

    def broken(self, state: int) -> tuple[str, ...]:
        """As commands say; and a run that is over by its events while its effects say otherwise."""
        known = super().broken(state)
        if known or not state & (self._committed | self._cancelled) or self._ended(state):
            return known
        quiet = all(command.fault for command, _ in self.steps(state))
        return (self.half_done,) if quiet else ()


class Choreography:
    """The model of one run without a leader. `model` is what is explored, `breaches` says what labels mean."""

    def __init__(self, design: SagaDesign, *, exact: bool, resources: Resources | None = None) -> None:
        self.design = design
        self.resources = resources or Resources.none()
        self.builder = Builder(exact=exact, design=design)
        self.consumers = self._consumers()
        self._declare()
        for step in design.steps:
            self._act(step)
            self._undo(step)
        self._release()
        half_done = Breach(ALL_OR_COMPENSATED, "SAG11", design.steps[0].name)
        self.breaches = {**self.builder.breaches, half_done.label: half_done}
        start = dict(self.builder.start)
        start[f"event.{design.trigger}"] = 1
        if exact:
            start |= dict.fromkeys(self._queues(design.trigger), 1)
        self.model = ChoreographyModel(self.builder.layout, self.builder.commands, start, self)

    def out(self, ending: str) -> list[str]:
        """The variables of the events that end a run that way."""
        return [f"event.{event}" for event, how in self.design.ends.items() if how == ending]

    # -- events ------------------------------------------------------------------------------------------

    def _consumers(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for step in self.design.steps:
            for event in step.consumes:
                found.setdefault(event, []).append(step.name)
            for event in step.compensation.consumes if step.compensation else ():
                found.setdefault(event, []).append(f"~{step.name}")
        return found

    def _events(self) -> Iterator[str]:
        yield self.design.trigger
        for step in self.design.steps:
            undone = step.compensation.emits if step.compensation else None
            yield from filter(None, (*step.consumes, step.emits, step.emits_on_refusal, undone))
            yield from step.compensation.consumes if step.compensation else ()
        yield from self.design.ends

    def _queues(self, event: str) -> list[str]:
        return [f"{event}>{consumer}" for consumer in self.consumers.get(event, [])]

    def _declare(self) -> None:
        builder = self.builder
        for event in dict.fromkeys(self._events()):
            builder.variable(f"event.{event}", 1)
            if builder.exact:
                for queue in self._queues(event):
                    builder.message(queue, copies=2)
                    subject = queue.split(">")[1].lstrip("~")
                    builder.command(f"duplicate {event}", subject, keeps=queue, sends=[queue], spends=DUPLICATED)
        for step in self.design.steps:
            for bit in ("applied", "undone", "declined", "undo-declined"):
                builder.variable(f"{bit}.{step.name}", 1)
            if builder.exact and len(step.consumes) > 1:
                for event in step.consumes:
                    builder.variable(f"in.{event}>{step.name}", 1)
        self.resources.declare(builder)
        for service in self._locking():
            builder.variable(f"released.{service}", 1)

    def _locking(self) -> dict[str, StepPlan]:
        """The participants that hold locks, each with its first step that asks for one."""
        return {step.service: step for step in reversed(self.design.steps) if self.resources.asking(step)}

    def _release(self) -> None:
        """Nobody tells a participant that a run has ended: it hears an event that ends runs, and frees the locks."""
        for service, step in self._locking().items():
            gone = f"released.{service}"
            free = {gone: 1, **self.resources.unlocked(service)}
            for event in self.design.ends:
                self.builder.command("release", step.name, when={f"event.{event}": 1, gone: 0}, then=free)

    def _handle(  # noqa: PLR0913 - a command has these parts
        self,
        kind: str,
        step: StepPlan,
        queue: str | None,
        when: dict[str, int],
        then: dict[str, int],
        *,
        emits: str | None = None,
        breach: Breach | None = None,
        note: object = None,
        spends: str | None = None,
    ) -> None:
        """A participant handles what came on the queue, in one transaction with the event it emits."""
        builder = self.builder
        published = {**then, **({f"event.{emits}": 1} if emits else {})}
        sends = self._queues(emits) if emits and builder.exact else []
        builder.command(
            kind, step.name, when=when, then=published, takes=queue, sends=sends, breach=breach, note=note,
            spends=spends if builder.exact else None,
        )  # fmt: skip
        if builder.exact and breach is None:
            # What joins has taken its events in before; the last of them comes again.
            comes_again = [f"{step.consumes[-1]}>{step.name}"] if queue is None else []
            builder.command(
                f"crash-after-{kind}", step.name, when=when, then=published, keeps=queue,
                sends=[*sends, *comes_again], spends=CRASHES, note=note,
            )  # fmt: skip

    def _ways_in(self, step: StepPlan) -> tuple[str | None, dict[str, int]]:
        """How a step's events come in: the queue that is taken from, and what has to be true besides."""
        if not self.builder.exact:
            return None, {f"event.{event}": 1 for event in step.consumes}
        if len(step.consumes) == 1:
            return f"{step.consumes[0]}>{step.name}", {}
        for event in step.consumes:
            arrived = {f"in.{event}>{step.name}": 1}
            self.builder.command(f"hear {event}", step.name, takes=f"{event}>{step.name}", then=arrived)
        return None, {f"in.{event}>{step.name}": 1 for event in step.consumes}

    def _heard_again(self, step: StepPlan, queue: str | None) -> list[str | None]:
        """From where an event can come once more to a step that has handled it."""
        joins = self.builder.exact and len(step.consumes) > 1
        return [f"{event}>{step.name}" for event in step.consumes] if joins else [queue]

    # -- participants ------------------------------------------------------------------------------------

    def _act(self, step: StepPlan) -> None:
        if not step.consumes:
            return
        name = step.name
        queue, came = self._ways_in(step)
        fresh = {**came, f"applied.{name}": 0, f"undone.{name}": 0, f"declined.{name}": 0}
        for variation in self.resources.acting(step):
            self._apply(step, queue, fresh, variation)
        # Behind the pivot a refusal changes nothing: the event comes again until the action succeeds.
        if step.can_be_refused and self.design.faults.refusals and step.kind != "retriable":
            declined = {f"declined.{name}": 1}
            asking = self.resources.asking(step)
            self._handle("refuse", step, queue, fresh, declined, emits=step.emits_on_refusal, note=asking)
        if step.read_only:
            return
        if step.emits and self.design.participants[step.service].keeps("deduplicates"):
            lost = Breach(EVERY_RUN_ENDS, "SAG10", name, "publishes_atomically")
            self._handle("crash-unpublished", step, queue, fresh, {}, breach=lost, spends=CRASHES)
        if not step.idempotent:
            twice = Breach(NO_EFFECT_TWICE, "SAG07", name, "deduplicates")
            after_all = Breach(ALL_OR_COMPENSATED, "SAG07", name, "deduplicates")
            for again in self._heard_again(step, queue):
                self._handle("apply-twice", step, again, {**came, f"applied.{name}": 1}, {}, breach=twice)
                if step.can_be_refused:
                    self._handle("apply-declined", step, again, {**came, f"declined.{name}": 1}, {}, breach=after_all)
        late = Breach(NO_ACTION_AFTER_COMPENSATION, "SAG06", name, "refuses_late_actions")
        handled = {**came, f"undone.{name}": 1, f"applied.{name}": 0}
        self._handle("apply-late", step, queue, handled, {}, breach=late)

    def _apply(self, step: StepPlan, queue: str | None, fresh: dict[str, int], variation: Variation) -> None:
        name = step.name
        when = {**fresh, **variation.when}
        if variation.refused:
            self._handle("refuse-stale", step, queue, when, {f"declined.{name}": 1}, emits=step.emits_on_refusal)
            return
        kind = over_another("apply", variation.breach)
        then = {f"applied.{name}": 1, **variation.then}
        ways = [(when, then)]
        if self.resources.asking(step):
            # Of a run that has ended there it asks for the lock as well, but nobody would free it any more.
            gone = f"released.{step.service}"
            unlocked = {**then, **self.resources.unlocked(step.service)}
            ways = [({**when, gone: 0}, then), ({**when, gone: 1}, unlocked)]
        for before, after in ways:
            self._handle(
                kind, step, queue, before, after, emits=step.emits, breach=variation.breach, note=variation.touch
            )

    def _undo(self, step: StepPlan) -> None:
        if step.compensation is None or step.read_only:
            return
        for event in step.compensation.consumes:
            if self.builder.exact:
                self._undo_on(step, f"{event}>~{step.name}", {})
            else:
                self._undo_on(step, None, {f"event.{event}": 1})

    def _undo_on(self, step: StepPlan, queue: str | None, came: dict[str, int]) -> None:
        name, compensation = step.name, step.compensation
        if compensation is None:
            return
        emits = compensation.emits
        real = {**came, f"applied.{name}": 1, f"undone.{name}": 0, f"undo-declined.{name}": 0}
        handled = {f"undone.{name}": 1}
        if compensation.can_be_refused:
            self._handle("decline-undo", step, queue, real, {f"undo-declined.{name}": 1})
        for variation in self.resources.undoing(step):
            kind = over_another("compensate", variation.breach)
            when, then = {**real, **variation.when}, {**handled, **variation.then}
            self._handle(kind, step, queue, when, then, emits=emits, breach=variation.breach, note=variation.touch)
        for other in undone_before(self.design, step):
            early = Breach(COMPENSATIONS_IN_ORDER, "SAG08", name)
            standing = {**real, f"applied.{other}": 1, f"undone.{other}": 0}
            self._handle("compensate-too-early", step, queue, standing, {}, breach=early)
        pivot = self.design.pivot
        if pivot is not None and pivot is not step:
            back = Breach(NO_WAY_BACK, "SAG02", name)
            decided = {**real, f"applied.{pivot.name}": 1, f"undone.{pivot.name}": 0}
            self._handle("compensate-behind-pivot", step, queue, decided, {}, breach=back)
        never_ran = {**came, f"applied.{name}": 0, f"undone.{name}": 0, f"declined.{name}": 0}
        provision = self.design.participants[step.service].guarantees["accepts_empty_compensation"]
        harm = Breach(NO_HARMFUL_COMPENSATION, "SAG18", name, "accepts_empty_compensation")
        self._handle("compensate-nothing", step, queue, never_ran, {}, breach=harm)
        if provision != "lacks":
            self._handle("compensate-empty", step, queue, never_ran, handled, emits=emits)
        if not compensation.idempotent:
            twice = Breach(NO_EFFECT_TWICE, "SAG04", name, "deduplicates")
            again = {**came, **handled, f"applied.{name}": 1}
            self._handle("compensate-twice", step, queue, again, {}, breach=twice)
