"""Two runs over what they share: promise 8 by hand, by spin over a model of its own, and by the checker."""

from __future__ import annotations

from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from halfopen.progress import Silent
from halfopen.vocabulary import Outcome
from halfopen_generators.saga.options import SagaOptions
from halfopen_generators.saga.plan import SagaDesign
from halfopen_generators.saga.protocol.instances import Instances
from halfopen_generators.saga.protocol.isolation import Resources
from halfopen_generators.saga.protocol.orchestration import Run
from halfopen_generators.saga.verify import verify
from tests.saga.designs import ALL_GUARANTEES, designed, in_a_row, in_parallel
from tests.saga.promela.opinion import need_spin
from tests.saga.promela.promela import DIRTY_READ, FUZZY_READ, LOST_UPDATE, promela_of_two
from tests.saga.promela.spin import verify as ask_spin

PARTS = {"lost": LOST_UPDATE, "dirty": DIRTY_READ, "fuzzy": FUZZY_READ}
NAMED = {"no lost update": LOST_UPDATE, "no dirty read": DIRTY_READ, "no fuzzy read": FUZZY_READ}


@cache
def table() -> dict[str, dict[str, Any]]:
    rows: dict[str, dict[str, Any]] = YAML(typ="safe", pure=True).load(
        (Path(__file__).parent / "specs" / "two-runs.yaml").read_text()
    )
    return rows


def by_hand(name: str) -> set[int]:
    return {number for part, number in PARTS.items() if part in table()[name]}


@cache
def two_runs(name: str) -> SagaDesign:
    row = table()[name]
    steps = [{"service": "hall", "action": f"Do{step['name'].title()}", **step} for step in row["steps"]]
    for step in steps:
        if "compensation" in step or step["kind"] == "compensatable":
            step.setdefault("retry", {"attempts": 1})
    faults = {"lost_messages": 0, "duplicated_messages": 0, "crashes": 0, "late_messages": row.get("late", False)}
    spec = {"saga": "two", "style": "orchestration", "instances": 2, "services": {"hall": ALL_GUARANTEES}}
    return designed({**spec, "faults": faults, "steps": steps})


def ours(name: str, *, exact: bool) -> dict[int, Outcome]:
    verdicts = verify(two_runs(name), SagaOptions(exact=exact), Silent()).verdicts
    return {NAMED[verdict.property]: verdict.outcome for verdict in verdicts if verdict.property in NAMED}


def those(said: dict[int, Outcome], outcome: Outcome) -> set[int]:
    return {number for number, found in said.items() if found is outcome}


def test_the_table_is_wide_enough() -> None:
    for part in PARTS:
        assert any(part in row for row in table().values())
    measures = {
        m for row in table().values() for step in row["steps"] for m in step.get("countermeasures", {}).values()
    }
    assert measures == {
        "semantic-lock", "commutative-update", "version-file", "reread-value", "pessimistic-view", "by-value"
    }  # fmt: skip
    assert sum(not by_hand(name) for name in table()) >= 10
    assert sum(bool(by_hand(name)) for name in table()) >= 10


@pytest.mark.parametrize("name", sorted(table()))
def test_the_checker_says_what_was_worked_out_by_hand(name: str) -> None:
    said, broken = ours(name, exact=True), by_hand(name)
    # Nothing is explored beyond a broken promise, so of several one may be left open.
    assert those(said, Outcome.VIOLATED) <= broken
    assert not those(said, Outcome.HOLDS) & broken
    assert bool(those(said, Outcome.VIOLATED)) == bool(broken)
    if not broken:
        assert those(said, Outcome.HOLDS) == set(PARTS.values())


@pytest.mark.parametrize("name", sorted(table()))
def test_without_bounds_nothing_holds_that_is_broken(name: str) -> None:
    said, broken = ours(name, exact=False), by_hand(name)
    assert not those(said, Outcome.HOLDS) & broken
    assert those(said, Outcome.VIOLATED) or not broken


@pytest.mark.oracle
@pytest.mark.parametrize("name", sorted(table()))
def test_spin_says_what_was_worked_out_by_hand(name: str, tmp_path: Path) -> None:
    need_spin()
    run = ask_spin(promela_of_two(two_runs(name)), tmp_path, live=False, small=True)
    assert run.complete, run.why_incomplete
    assert not run.invalid_end_state
    assert set(run.broken) == by_hand(name)


@pytest.mark.oracle
@pytest.mark.parametrize(
    ("name", "rule", "mutant", "breaks"),
    [
        pytest.param("look-then-book-locked", "&& !locked_by_other(p, 0)", "", {LOST_UPDATE}, id="wait for no lock"),
        pytest.param("locked-and-undone", "&& !has_ended(other(p))", "&& false", {LOST_UPDATE}, id="unlock too soon"),
        pytest.param("look-then-reread", ":: changed(p, 0) ->", ":: false ->", {LOST_UPDATE}, id="reread in vain"),
        pytest.param("read-and-locked", "holder[0] = p;", "", {LOST_UPDATE, DIRTY_READ}, id="mark no lock"),
    ],
)
def test_a_broken_twin_of_a_countermeasure_is_caught(
    name: str, rule: str, mutant: str, breaks: set[int], tmp_path: Path
) -> None:
    need_spin()
    model = promela_of_two(two_runs(name))
    assert rule in model
    assert set(ask_spin(model.replace(rule, mutant), tmp_path, live=False, small=True).broken) == breaks


@pytest.mark.parametrize("measure", ["semantic-lock", "reread-value"])
def test_a_business_rule_is_asked_only_once_the_lock_is_free(measure: str) -> None:
    design = in_a_row(3, touching=range(2), measure=measure, instances=2)
    run = Run(design, exact=False, resources=Resources.of(design))
    model = Instances(run.model, 2, symmetry=False, partial_order=False)
    held = [run.model.layout.variables[f"lock.{s.service}/{r}"] for s in design.steps for r in s.writes]
    asked: Counter[bool] = Counter()
    seen, waiting = set(model.initial()), list(model.initial())
    while waiting:
        state = waiting.pop()
        for (who, command), successor in model.steps(state):
            if command.kind == "refuse" and design.by_name[command.subject].writes:
                asked[any(lock.of(state[1 - who]) for lock in held)] += 1
            if successor not in seen and not command.breaks:
                seen.add(successor)
                waiting.append(successor)
    assert asked[True] == 0
    assert asked[False] > 0


def test_what_the_model_is_not_written_for_is_said() -> None:
    with pytest.raises(ValueError, match="one attempt"):
        promela_of_two(in_parallel(2, odd={"retry": {"attempts": 2}}))
