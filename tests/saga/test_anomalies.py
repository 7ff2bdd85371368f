"""What generated tests call an anomaly is what the checker calls one: walks of the model, told to both."""

from __future__ import annotations

import random
import sys
from dataclasses import dataclass
from types import ModuleType, SimpleNamespace
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from halfopen.checkers.commands import Command
from halfopen_generators.saga.plan import SagaDesign
from halfopen_generators.saga.protocol.instances import Instances
from halfopen_generators.saga.protocol.isolation import Resources, Touch
from halfopen_generators.saga.protocol.orchestration import Run
from halfopen_generators.saga.targets import python, python_meetings
from tests.saga.designs import orchestrated
from tests.saga.support_dbos import designed
from tests.saga.support_meetings import BROKEN

STEPS_OF_A_WALK = 40


@dataclass(frozen=True)
class Touched:
    """As the generated ledger has it."""

    run: str
    step: str
    resource: str
    entity: str
    what: str


def generated(design: SagaDesign) -> Any:
    """`anomalies` of the generated tests, over that design instead of the generated package."""
    saga = python.python_saga(design)
    text = python.rendered(
        "python/tests/anomalies.py.j2", "anomalies.py", saga, order_free=python_meetings.order_free(design), imports=""
    ).text
    lines = text.splitlines()
    steps = {step.name: SimpleNamespace(service=step.service, compensation=step.compensation) for step in design.steps}
    # A dataclass looks for its module by name.
    module = sys.modules["generated_anomalies"] = ModuleType("generated_anomalies")
    vars(module).update(Touched=Touched, BY_NAME=steps)
    exec(compile("\n".join(lines), "anomalies.py", "exec"), vars(module))  # noqa: S102 - text of our own making
    return module.anomalies


def touches(run: int, command: Command) -> list[Touched]:
    """What the command does to resources, as a ledger would have it."""
    note = command.note
    assert note is None or isinstance(note, Touch)
    if note is None:
        return []
    wrote = "restored" if command.kind.startswith(("compensate", "crash-participant-undoing")) else "wrote"
    read = [Touched(str(run), command.subject, name, "all", "read") for _, name in sorted(note.reads)]
    return read + [Touched(str(run), command.subject, name, "all", wrote) for _, name in sorted(note.writes)]


def walk(design: SagaDesign, chosen: random.Random) -> tuple[int, int]:
    """Walk once through the model and compare at each step; how many touches there were, and how many anomalies."""
    protocol = Run(design, exact=False, resources=Resources.of(design))
    model = Instances(protocol.model, 2, symmetry=False, partial_order=False)
    anomalies, done = generated(design), []
    (state,) = model.initial()
    for _ in range(STEPS_OF_A_WALK):
        moves = [
            (action, successor)
            for action, successor in model.steps(state)
            if not action[1].breaks or protocol.breaches[action[1].breaks].resource
        ]
        if not moves:
            break
        # Touches are rare among what may happen, so they are preferred.
        touching = [move for move in moves if move[0][1].note is not None]
        (run, command), state = chosen.choice(touching if touching and chosen.random() < 0.6 else moves)
        done += touches(run, command)
        told = [(each.kind, each.service, each.resource, each.step) for each in anomalies(done)]
        if command.breaks:
            breach = protocol.breaches[command.breaks]
            service = design.by_name[breach.step].service
            assert (breach.promise.removeprefix("no "), service, breach.resource, breach.step) in told
            return len(done), 1
        assert told == []
    return len(done), 0


@settings(
    max_examples=60,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
@given(orchestrated(shared=True), st.integers(0, 2**32))
def test_walks_of_any_saga_are_judged_alike(design: SagaDesign, seed: int) -> None:
    chosen = random.Random(seed)  # noqa: S311 - which way a walk goes is no secret
    for _ in range(5):
        walk(design, chosen)


def test_walks_come_upon_what_they_are_for() -> None:
    chosen = random.Random(1)  # noqa: S311 - the same
    found = [walk(designed(BROKEN), chosen) for _ in range(60)]
    assert sum(anomalies for _, anomalies in found) > 10
    assert sum(not anomalies for _, anomalies in found) > 3
    assert max(many for many, _ in found) > 5
