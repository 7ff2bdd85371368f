"""What a participant of an orchestrated saga does with a request: PROTOCOL.md, its table of guarantees."""

from __future__ import annotations

from halfopen_generators.saga.plan import SagaDesign, StepPlan
from halfopen_generators.saga.protocol.builder import CRASHES, Builder
from halfopen_generators.saga.protocol.isolation import Resources, Variation, over_another
from halfopen_generators.saga.protocol.log import SENT, UNDOING
from halfopen_generators.saga.protocol.promises import (
    ALL_OR_COMPENSATED,
    COMPENSATIONS_IN_ORDER,
    NO_ACTION_AFTER_COMPENSATION,
    NO_EFFECT_TWICE,
    NO_HARMFUL_COMPENSATION,
    Breach,
    Rules,
)


def undone_before(design: SagaDesign, step: StepPlan) -> tuple[str, ...]:
    """The nearest steps behind it that can be undone: they have to be, first. What can't be is passed over."""
    found: dict[str, None] = {}
    for name in design.dependents[step.name]:
        other = design.by_name[name]
        if other.compensation is not None and not other.read_only:
            found[name] = None
        else:
            found.update(dict.fromkeys(undone_before(design, other)))
    return tuple(found)


class Participants:
    """Adds the commands of the participants to a run that is being built."""

    def __init__(self, design: SagaDesign, builder: Builder, rules: Rules, resources: Resources) -> None:
        self.design = design
        self.builder = builder
        self.rules = rules
        self.resources = resources

    def act(self, step: StepPlan, *, forget: bool) -> None:
        """The action: fresh, again, or after its compensation.

        With `forget`, what a copy of the request may break over the growing network is looked for while the log
        waits for the step, and not again: it was there then, and nothing that it needs came later.
        """
        name, builder = step.name, self.builder
        fresh = {f"applied.{name}": 0, f"undone.{name}": 0, f"declined.{name}": 0}
        for variation in self.resources.acting(step):
            self._apply(step, fresh, variation)
        if step.can_be_refused and self.design.faults.refusals:
            asking = self.resources.asking(step)
            self._answer("refuse", step, fresh, {f"declined.{name}": 1}, "refused", note=asking)
        if step.can_be_refused:
            self._answer("refuse-again", step, {f"declined.{name}": 1, f"applied.{name}": 0}, {}, "refused")
        if step.read_only:
            self._answer("apply-again", step, {f"applied.{name}": 1}, {}, "done")
            return
        self._act_again(step, fresh, waited_for=forget and not builder.exact)
        breach = Breach(NO_ACTION_AFTER_COMPENSATION, "SAG06", name, "refuses_late_actions")
        late = {f"undone.{name}": 1}
        builder.command("apply-late", name, when={**late, f"applied.{name}": 0}, takes=f"do.{name}", breach=breach)
        if builder.exact:
            builder.command("refuse-late", name, when=late, takes=f"do.{name}")

    def _act_again(self, step: StepPlan, fresh: dict[str, int], *, waited_for: bool) -> None:
        """A request that was handled before."""
        name, builder = step.name, self.builder
        applied, declined = {f"applied.{name}": 1, f"undone.{name}": 0}, {**fresh, f"declined.{name}": 1}
        if self.rules.answers_again:
            self._answer("apply-again", step, applied, {}, "done")
        elif builder.exact:
            builder.command("ignore", name, when={f"applied.{name}": 1}, takes=f"do.{name}")
        if step.idempotent:
            return
        waits = {f"log.{name}": SENT} if waited_for else {}
        twice = Breach(NO_EFFECT_TWICE, "SAG07", name, "deduplicates")
        builder.command("apply-twice", name, when={**applied, **waits}, takes=f"do.{name}", breach=twice)
        if step.kind != "retriable" and step.can_be_refused:
            after_all = Breach(ALL_OR_COMPENSATED, "SAG07", name, "deduplicates")
            builder.command("apply-declined", name, when={**declined, **waits}, takes=f"do.{name}", breach=after_all)
        elif not self.design.participants[step.service].keeps("deduplicates"):
            # Nobody turned back on its refusal, so that it is decided anew does no harm.
            self._answer("apply", step, declined, {f"applied.{name}": 1, f"declined.{name}": 0}, "done")

    def _apply(self, step: StepPlan, fresh: dict[str, int], variation: Variation) -> None:
        name = step.name
        when = {**fresh, **variation.when}
        if variation.refused:
            self._answer("refuse-stale", step, when, {f"declined.{name}": 1}, "refused")
            return
        then = {f"applied.{name}": 1, **variation.then}
        kind = over_another("apply", variation.breach)
        self._answer(kind, step, when, then, "done", note=variation.touch, breach=variation.breach)
        if self.builder.exact and variation.breach is None:
            # It commits and crashes before it acknowledges, so the request comes again.
            self.builder.command(
                "crash-participant", name, when=when, then=then, keeps=f"do.{name}", spends=CRASHES,
                sends=[f"done.{name}"], note=variation.touch,
            )  # fmt: skip

    def _answer(
        self,
        kind: str,
        step: StepPlan,
        when: dict[str, int],
        then: dict[str, int],
        answer: str,
        *,
        note: object = None,
        breach: Breach | None = None,
    ) -> None:
        """A request is handled; the answer is sent while somebody waits for it."""
        name, builder = step.name, self.builder
        do, waits = f"do.{name}", {f"log.{name}": SENT}
        if not (self.rules.ignores_late_answers and self.rules.ignores_repeated_answers):
            builder.command(
                kind, name, when=when, then=then, takes=do, sends=[f"{answer}.{name}"], note=note, breach=breach
            )
            return
        builder.command(
            kind,
            name,
            when={**when, **waits},
            then=then,
            takes=do,
            sends=[f"{answer}.{name}"],
            note=note,
            breach=breach,
        )
        unheard = (f"log.{name}", SENT)
        builder.command(kind, name, when=when, then=then, takes=do, unless=unheard, note=note, breach=breach)

    def undo(self, step: StepPlan) -> None:
        """The compensation: of what ran, of what never ran, or again."""
        if step.compensation is None or step.read_only:
            return
        name, builder, undo = step.name, self.builder, f"undo.{step.name}"
        answer = [f"compensated.{name}"]
        real, handled = {f"applied.{name}": 1, f"undone.{name}": 0}, {f"undone.{name}": 1}
        if step.compensation.can_be_refused:
            real[f"undo-declined.{name}"] = 0
            builder.command("decline-undo", name, when=real, then={f"undo-declined.{name}": 1}, takes=undo)
            if builder.exact:
                builder.command("decline-undo-again", name, when={f"undo-declined.{name}": 1}, takes=undo)
        for variation in self.resources.undoing(step):
            kind = over_another("compensate", variation.breach)
            builder.command(
                kind, name, when={**real, **variation.when}, then={**handled, **variation.then}, takes=undo,
                sends=answer, note=variation.touch, breach=variation.breach,
            )  # fmt: skip
            if builder.exact and variation.breach is None:
                builder.command(
                    "crash-participant-undoing", name, when={**real, **variation.when},
                    then={**handled, **variation.then}, keeps=undo, spends=CRASHES, sends=answer,
                    note=variation.touch,
                )  # fmt: skip
        for other in undone_before(self.design, step):
            out_of_order = Breach(COMPENSATIONS_IN_ORDER, "SAG08", name)
            standing = {**real, f"applied.{other}": 1, f"undone.{other}": 0}
            builder.command("compensate-too-early", name, when=standing, takes=undo, breach=out_of_order)
        never_ran = {f"applied.{name}": 0, f"undone.{name}": 0}
        harm = Breach(NO_HARMFUL_COMPENSATION, "SAG18", name, "accepts_empty_compensation")
        builder.command("compensate-nothing", name, when=never_ran, takes=undo, breach=harm)
        if not self._refuses_empty(step):
            builder.command("compensate-empty", name, when=never_ran, then=handled, takes=undo, sends=answer)
        if not step.compensation.idempotent:
            twice = Breach(NO_EFFECT_TWICE, "SAG04", name, "deduplicates")
            builder.command("compensate-twice", name, when={**handled, f"applied.{name}": 1}, takes=undo, breach=twice)
        if builder.exact:
            waits = {**handled, f"log.{name}": UNDOING}
            builder.command("compensate-again", name, when=waits, takes=undo, sends=answer)
            builder.command("compensate-again", name, when=handled, unless=(f"log.{name}", UNDOING), takes=undo)

    def _refuses_empty(self, step: StepPlan) -> bool:
        return self.design.participants[step.service].guarantees["accepts_empty_compensation"] == "lacks"
