"""One run of an orchestrated saga as guarded commands: PROTOCOL.md, sentence by sentence.

Variables of a step `k`: `log.k` what the orchestrator's log says of it, `closed.k` whether nothing of it is
left to undo, `applied.k` whether its action's effect happened, `undone.k` whether its participant has handled
its compensation (a real one or an empty one), `declined.k` whether the participant refused it. Messages:
`do.k`, `done.k`, `refused.k`, `undo.k`, `compensated.k`.

Two reductions are built in; both drop what can't matter any more. *An answer that nobody waits for* is dropped
at once: the log ignores it whenever it comes. *A step that is settled is forgotten*, that is, all its variables
but `log` and `closed` go back to 0 (and a step that is done forgets the copies of its request): from then on a
copy that still arrives can only change nothing or break a promise, and the copy was there before, at a moment
when it could break the same one. `forget=False` switches the second off.
"""

from __future__ import annotations

from halfopen.checkers.commands import CommandModel
from halfopen_generators.saga.plan import SagaDesign, StepPlan
from halfopen_generators.saga.protocol.builder import CRASHES, Builder
from halfopen_generators.saga.protocol.isolation import Resources
from halfopen_generators.saga.protocol.log import (
    ABANDONED,
    CANCELLED,
    COMMITTED,
    COMPENSATING,
    DONE,
    IDLE,
    PHASE,
    RUNNING,
    SENT,
    SETTLED,
    UNDOING,
    UNKNOWN,
)
from halfopen_generators.saga.protocol.participants import Participants
from halfopen_generators.saga.protocol.promises import ALL_OR_COMPENSATED, NO_WAY_BACK, Breach, Rules

MESSAGES = ("do", "done", "refused", "undo", "compensated")


class Run:
    """The model of one run. `model` is what is explored, `breaches` says what each broken promise means.

    No guarantee of a participant is taken for granted: what happens without it is a breach whose `want` names
    it, beside what happens with it. A breach leads nowhere, so the rest of the graph is that of the saga with
    every guarantee kept, and one exploration finds all that are needed: each one whose breach can be reached.
    """

    def __init__(
        self,
        design: SagaDesign,
        *,
        exact: bool,
        rules: Rules | None = None,
        resources: Resources | None = None,
        forget: bool = True,
    ) -> None:
        self.design = design
        self.rules = rules or Rules()
        # Broken rules revive what is settled, so nothing may be forgotten then.
        self.forget = forget and self.rules == Rules()
        self.resources = resources or Resources.none()
        self.builder = Builder(exact=exact, design=design)
        self._variables: dict[str, list[str]] = {}
        self._declare()
        participants = Participants(design, self.builder, self.rules, self.resources)
        for step in design.steps:
            self._orchestrate(step)
            self._compensate(step)
            participants.act(step, forget=self.forget)
            participants.undo(step)
            self._at_the_end(step)
        self._finish()
        self.breaches = self.builder.breaches
        self.model = CommandModel(
            self.builder.layout,
            self.builder.commands,
            start={**self.builder.start, **{f"closed.{step.name}": 1 for step in design.steps}},
            ended=[{PHASE: COMMITTED}, {PHASE: CANCELLED}],
        )

    def _declare(self) -> None:
        builder = self.builder
        builder.variable(PHASE, CANCELLED)
        for step in self.design.steps:
            known, name = len(builder.layout.variables), step.name
            builder.variable(f"log.{name}", ABANDONED)
            for bit in ("closed", "applied", "undone", "declined"):
                builder.variable(f"{bit}.{name}", 1)
            copies = self._attempts(step) or 1
            for message in MESSAGES:
                builder.message(f"{message}.{name}", copies=copies)
            if builder.exact and self._attempts(step):
                builder.variable(f"tries.{name}", copies)
            if step.compensation and step.compensation.can_be_refused:
                builder.variable(f"undo-declined.{name}", 1)
            if not self.rules.saves_and_sends_at_once:
                builder.variable(f"to-send.{name}", 2)
            self._variables[name] = list(builder.layout.variables)[known:]
        self.resources.declare(builder)

    @property
    def alike(self) -> list[list[list[str]]]:
        """The variables of steps that may be alike: those that come after the same ones, and before the same ones."""
        found: dict[object, list[list[str]]] = {}
        for step in self.design.steps:
            neighbours = (frozenset(step.after), frozenset(self.design.dependents[step.name]))
            found.setdefault(neighbours, []).append(self._variables[step.name])
        return [parts for parts in found.values() if len(parts) > 1]

    def _attempts(self, step: StepPlan) -> int | None:
        """After how many tries it is given up; None if never."""
        attempts = step.retry.attempts
        if step.kind == "retriable" and not self.rules.repeats_retriable_steps:
            return attempts or 1
        if step.kind == "pivot" and step.compensation is None and not self.rules.repeats_the_pivot:
            return attempts or 1
        return attempts

    # -- the orchestrator -------------------------------------------------------------------------------

    def _orchestrate(self, step: StepPlan) -> None:
        builder, name = self.builder, step.name
        waiting = {PHASE: RUNNING, f"log.{name}": SENT}
        forget = {f"done.{name}": 0, f"refused.{name}": 0}
        self._start(step)
        done = forget if self.rules.ignores_repeated_answers and self.rules.ignores_late_answers else {}
        if self.forget:
            # Copies of its request that are counted are forgotten. Over the growing network their bit stays, so that
            # a step that is undone looks the same whether or not its answer was heard.
            done = {**done, **({f"do.{name}": 0} if builder.exact else {}), **self._no_tries(step)}
        builder.command("hear-done", name, when=waiting, keeps=f"done.{name}", then={f"log.{name}": DONE, **done})
        if step.kind != "retriable":
            back = {PHASE: COMPENSATING, **self._settled(step), **forget}
            self._turn_back(step, "hear-refused", waiting, back, keeps=f"refused.{name}")
        elif step.can_be_refused:
            # It is sent again; the participant has made up its mind, so the answer stays the same.
            builder.command("hear-refused", name, when=waiting, takes=f"refused.{name}")
        if self._attempts(step) is not None:
            self._give_up(step, waiting, forget)
        if builder.exact:
            self._send_again(step, waiting)
        if not self.rules.ignores_late_answers:
            for log in (UNKNOWN, UNDOING, SETTLED):
                late = {PHASE: COMPENSATING, f"log.{name}": log}
                revived = {PHASE: RUNNING, f"log.{name}": DONE, f"closed.{name}": 0}
                builder.command("hear-done-late", name, when=late, keeps=f"done.{name}", then=revived)
        if not self.rules.ignores_repeated_answers:
            for other in self.design.dependents[name]:
                mistaken = {PHASE: RUNNING, f"log.{name}": DONE, f"log.{other}": SENT}
                builder.command(
                    "hear-done-again", name, when=mistaken, keeps=f"done.{name}", then={f"log.{other}": DONE}
                )

    def _start(self, step: StepPlan) -> None:
        name = step.name
        ready = {PHASE: RUNNING, f"log.{name}": IDLE}
        if self.rules.waits_for_dependencies:
            ready |= {f"log.{other}": DONE for other in step.after}
        under_way = {f"log.{name}": SENT, f"closed.{name}": 0}
        if f"tries.{name}" in self.builder.layout.variables:
            under_way[f"tries.{name}"] = 1
        if self.rules.saves_and_sends_at_once:
            self.builder.eager("start", name, when=ready, then=under_way, sends=[f"do.{name}"])
        else:
            self.builder.eager("save", name, when=ready, then={**under_way, f"to-send.{name}": 1})
            unsent = {f"to-send.{name}": 1}
            self.builder.command("send", name, when=unsent, then={f"to-send.{name}": 0}, sends=[f"do.{name}"])
            # The crash forgets what was to be sent, and the recovery does not ask the log.
            self.builder.command("crash-unsent", name, when=unsent, then={f"to-send.{name}": 2}, fault=True)

    def _turn_back(
        self, step: StepPlan, kind: str, when: dict[str, int], then: dict[str, int], keeps: str | None = None
    ) -> None:
        """The run turns to compensating; once the pivot is done that must not happen."""
        self.builder.command(kind, step.name, when=when, keeps=keeps, then=then)
        pivot = self.design.pivot
        if pivot is not None and pivot is not step and step.name not in self.design.ancestors[pivot.name]:
            breach = Breach(NO_WAY_BACK, "SAG02", step.name)
            decided = {**when, f"log.{pivot.name}": DONE}
            self.builder.command(kind, step.name, when=decided, keeps=keeps, then=then, breach=breach)

    def _give_up(self, step: StepPlan, waiting: dict[str, int], forget: dict[str, int]) -> None:
        name, builder = step.name, self.builder
        when = dict(waiting)
        if builder.exact:
            when[f"tries.{name}"] = self._attempts(step) or 1
            if not builder.faults.late_messages:
                when |= {f"{message}.{name}": 0 for message in ("do", "done", "refused")}
        if not self.rules.ignores_late_answers:
            forget = {}
        if step.kind == "retriable":
            builder.command("abandon", name, when=when, then={f"log.{name}": ABANDONED, **forget})
            return
        then = {PHASE: COMPENSATING, f"log.{name}": UNKNOWN, **forget, **self._no_tries(step)}
        if not self.rules.undoes_unknown_outcomes:
            then |= {f"log.{name}": SETTLED, f"closed.{name}": 1}
        self._turn_back(step, "give-up", when, then)

    def _send_again(self, step: StepPlan, waiting: dict[str, int]) -> None:
        """Exact mode: the timeout and the recovery both send what the log says is under way once more."""
        name, builder, attempts = step.name, self.builder, self._attempts(step)
        nothing_under_way = {f"{message}.{name}": 0 for message in ("do", "done", "refused")}
        if not self.rules.saves_and_sends_at_once:
            waiting = {**waiting, f"to-send.{name}": 0}
        if attempts is None:
            builder.command("send-again", name, when={**waiting, **nothing_under_way}, sends=[f"do.{name}"])
        else:
            for tries in range(1, attempts):
                when = {**waiting, f"tries.{name}": tries}
                if not builder.faults.late_messages:
                    when |= nothing_under_way
                builder.command("send-again", name, when=when, then={f"tries.{name}": tries + 1}, sends=[f"do.{name}"])
        if self.rules.saves_and_sends_at_once:
            builder.command("crash", name, when=waiting, sends=[f"do.{name}"], spends=CRASHES)

    def _no_tries(self, step: StepPlan) -> dict[str, int]:
        tries = f"tries.{step.name}"
        return {tries: 0} if tries in self.builder.layout.variables else {}

    def _settled(self, step: StepPlan) -> dict[str, int]:
        """Nothing of the step is left to undo, and nothing of it matters any more."""
        name = step.name
        settled = {f"log.{name}": SETTLED, f"closed.{name}": 1}
        if not self.forget:
            return settled
        gone = [f"{variable}.{name}" for variable in ("applied", "undone", "declined", *MESSAGES)]
        return {**settled, **dict.fromkeys(gone, 0), **self._no_tries(step)}

    def _compensate(self, step: StepPlan) -> None:
        builder, name = self.builder, step.name
        back = {PHASE: COMPENSATING}
        if self.rules.ignores_late_answers:
            forget = {f"done.{name}": 0, f"refused.{name}": 0, **self._no_tries(step)}
        else:
            forget = {}
        sent = {**back, f"log.{name}": SENT, f"closed.{name}": 0}
        builder.eager("leave", name, when=sent, then={f"log.{name}": UNKNOWN, **forget})
        open_: dict[str, int] = {f"closed.{name}": 0, **back}
        if self.rules.undoes_in_reverse_order:
            open_ |= {f"closed.{other}": 1 for other in self.design.dependents[name]}
        for log in (DONE, UNKNOWN):
            ready = {**open_, f"log.{name}": log}
            if step.compensation is None or step.read_only:
                builder.eager("settle", name, when=ready, then={f"log.{name}": SETTLED, f"closed.{name}": 1})
            else:
                builder.eager("undo", name, when=ready, then={f"log.{name}": UNDOING}, sends=[f"undo.{name}"])
        if step.compensation is None or step.read_only:
            return
        undoing = {**back, f"log.{name}": UNDOING, f"closed.{name}": 0}
        settled = {**self._settled(step), f"compensated.{name}": 0}
        if not self.rules.ends_with_nothing_to_undo:
            settled["undid"] = 1
        builder.command("hear-undone", name, when=undoing, keeps=f"compensated.{name}", then=settled)
        if not self.rules.repeats_compensations:
            builder.command("give-up-undo", name, when=undoing, then=settled)
        if builder.exact:
            lost = {**undoing, f"undo.{name}": 0, f"compensated.{name}": 0}
            builder.command("undo-again", name, when=lost, sends=[f"undo.{name}"])
            builder.command("crash-undoing", name, when=undoing, sends=[f"undo.{name}"], spends=CRASHES)

    def _finish(self) -> None:
        builder, steps = self.builder, self.design.steps
        over = self.resources.at_end()
        committed = {PHASE: RUNNING, **{f"log.{step.name}": DONE for step in steps}}
        builder.eager("commit", "", when=committed, then={PHASE: COMMITTED, **over})
        cancelled = {PHASE: COMPENSATING, **{f"closed.{step.name}": 1 for step in steps}}
        if not self.rules.ends_with_nothing_to_undo:
            cancelled["undid"] = 1
            builder.variable("undid", 1)
        builder.eager("cancel", "", when=cancelled, then={PHASE: CANCELLED, **over})
        for step in steps:
            builder.network_faults(step.name, [f"{message}.{step.name}" for message in MESSAGES])

    def _at_the_end(self, step: StepPlan) -> None:
        """What stands or is missing once the run has ended, then or at any later moment."""
        name, builder = step.name, self.builder
        if step.read_only:
            return
        # Of the pivot alone it depends on the run: whether it was given up itself or something else turned back.
        standing = Breach(ALL_OR_COMPENSATED, "SAG05" if step.compensation or step.kind == "pivot" else "SAG01", name)
        effect = {f"applied.{name}": 1, f"undone.{name}": 0}
        builder.command("left-standing", name, when={PHASE: CANCELLED, **effect}, breach=standing)
        skipped = Breach(ALL_OR_COMPENSATED, "SAG07", name)
        builder.command("left-out", name, when={PHASE: COMMITTED, f"applied.{name}": 0}, breach=skipped)
        undone = Breach(ALL_OR_COMPENSATED, "SAG06", name)
        builder.command("left-undone", name, when={PHASE: COMMITTED, f"undone.{name}": 1}, breach=undone)
