"""The generated participants do what the checker's model lets happen: walks of the model, done to both."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from halfopen.checkers.commands import Command
from halfopen_generators.saga.protocol.instances import Instances
from halfopen_generators.saga.protocol.isolation import Resources
from halfopen_generators.saga.protocol.log import CANCELLED, COMMITTED, PHASE
from halfopen_generators.saga.protocol.orchestration import Run
from tests.saga import support_dbos
from tests.saga.support_dbos import designed, need_dbos
from tests.saga.support_meetings import modules

pytestmark = pytest.mark.oracle

# Two resources at one participant and one at another, with and without each countermeasure that code keeps.
MIXED = """
saga: mixed
style: orchestration
correlation_key: order_id
instances: 2
steps:
  - {name: look, service: hall, action: Look, read_only: true, after: [], reads: [seats, prices], MEASURE1}
  - {name: quote, service: hall, action: Quote, compensation: Unquote, after: [look], can_be_refused: true,
     reads: prices, writes: prices, MEASURE2}
  - {name: hold, service: hall, action: Hold, compensation: Free, after: [look], can_be_refused: true,
     writes: seats, MEASURE3}
  - {name: book, service: desk, action: Book, compensation: Unbook, after: [quote, hold], can_be_refused: true,
     reads: ledger, writes: ledger, countermeasures: {ledger: semantic-lock}}
  - {name: pay, service: hall, action: Pay, kind: pivot, can_be_refused: true, reads: seats}
"""
MEASURES = {
    "locks": ("{seats: semantic-lock}", "{prices: semantic-lock}", "{seats: semantic-lock}"),
    "values": ("{}", "{prices: reread-value}", "{seats: reread-value}"),
    "both": ("{}", "{prices: reread-value}", "{seats: semantic-lock}"),
}
FORWARD = ("apply", "refuse-stale", "hear-done", "compensate", "hear-undone")
HANDLED = ("apply", "refuse", "compensate", "compensate-empty", "apply-again", "refuse-stale")


def spec(name: str) -> str:
    text = MIXED.replace("saga: mixed", f"saga: mixed-{name}")
    for number, measure in enumerate(MEASURES[name], 1):
        text = text.replace(f"MEASURE{number}", f"countermeasures: {measure}")
    return text


class Both:
    """The model of two runs, and the generated participants; what happens to the one is done to the other."""

    def __init__(self, name: str, package: Any, url: str) -> None:
        self.design = designed(spec(name))
        self.protocol = Run(self.design, exact=False, resources=Resources.of(self.design))
        self.model = Instances(self.protocol.model, 2, symmetry=False, partial_order=False)
        (self.state,) = self.model.initial()
        self.package, self.store = package, package.store.Store(url)
        self.reactions: Counter[str] = Counter()

    def value(self, run: int, variable: str) -> int:
        return self.protocol.model.layout.variables[variable].of(self.state[run])

    def has_ended(self, run: int) -> bool:
        return self.value(run, PHASE) in (COMMITTED, CANCELLED)

    def ask(self, run: int, step: str, request: str, *, rule: bool = True) -> str:
        """What the participant makes of it: done, refused or held. Its business rule says yes or no."""
        asked = self.package.messages.Request(f"run-{run}", step, request, {"order_id": "o"})
        service = self.package.participants.PARTICIPANTS[self.design.by_name[step].service]
        if not rule:
            operation = replace(service.operations[step], action=self._no)
            service = replace(service, operations={**service.operations, step: operation})
        try:
            answer = service.handle(self.store, asked)
        except TimeoutError:
            return "held"
        return "done" if answer.done else "refused"

    def _no(self, _call: Any, _request: Any) -> Any:
        raise self.package.contract.Refused("the rule says no")

    def moves(self) -> list[tuple[int, Command, Any]]:
        """What can happen, and breaks nothing: beyond a broken promise nothing is said."""
        return [
            (run, command, successor)
            for (run, command), successor in self.model.steps(self.state)
            if not command.breaks and not (self.has_ended(run) and command.kind == "apply")
        ]

    def what_waits(self) -> list[tuple[int, str]]:
        """The actions that have been sent, were not handled, and that the model lets no participant handle."""
        let_in = {
            (run, command.subject)
            for (run, command), _ in self.model.steps(self.state)
            if command.kind.startswith(("apply", "refuse"))
        }
        return [
            (run, step.name)
            for run in (0, 1)
            for step in self.design.steps
            if not self.has_ended(run)
            and self.value(run, f"do.{step.name}")
            and not any(self.value(run, f"{bit}.{step.name}") for bit in ("applied", "undone", "declined"))
            and (run, step.name) not in let_in
        ]

    def go(self, run: int, command: Command, successor: Any) -> None:
        if command.kind in HANDLED:
            request = "compensation" if command.kind.startswith("compensate") else "action"
            found = self.ask(run, command.subject, request, rule=command.kind != "refuse")
            expected = "refused" if command.kind.startswith("refuse") else "done"
            assert (command.kind, command.subject, found) == (command.kind, command.subject, expected)
            self.reactions["stale" if command.kind == "refuse-stale" else found] += 1
        before = self.has_ended(run)
        self.state = successor
        if self.has_ended(run) and not before:
            for step in ("look", "quote", "hold", "book"):
                assert self.ask(run, step, "release") == "done"


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    need_dbos()
    return {
        name: modules(support_dbos.written(spec(name), tmp_path_factory.mktemp(name)), f"mixed_{name}_saga")
        for name in MEASURES
    }


@pytest.mark.parametrize("name", MEASURES)
def test_participants_answer_refuse_and_wait_as_the_model_does(
    name: str, packages: dict[str, Any], tmp_path: Path
) -> None:
    chosen = random.Random(name)  # noqa: S311 - which way a walk goes is no secret
    reactions: Counter[str] = Counter()
    for number in range(25):
        both = Both(name, packages[name], f"sqlite:///{tmp_path / str(number)}.db")
        for _ in range(60):
            for run, step in both.what_waits():
                # Whatever its business rule would say.
                assert {both.ask(run, step, "action", rule=rule) for rule in (True, False)} == {"held"}
                both.reactions["held"] += 1
            moves = both.moves()
            if not moves:
                break
            # Most of what can happen makes a run turn back; runs that get far are preferred.
            forward = [move for move in moves if move[1].kind in FORWARD]
            both.go(*chosen.choice(forward if forward and chosen.random() < 0.9 else moves))
        both.store.close()
        reactions += both.reactions
    assert set(reactions) == {"done", "held", "refused", *(("stale",) if name != "locks" else ())}
    assert all(count >= 5 for count in reactions.values()), reactions
