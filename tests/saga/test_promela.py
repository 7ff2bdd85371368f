"""The independent second opinion: a model of PROTOCOL.md in Promela, and what spin says of a table of specs."""

from __future__ import annotations

from pathlib import Path

import pytest
from inline_snapshot import snapshot

from tests.saga.promela.opinion import need_spin, spin_says
from tests.saga.promela.promela import LIVENESS, PROPERTIES, SAFETY, promela
from tests.saga.promela.spin import SpinError, path_to, verify
from tests.saga.promela.table import SPECS, designed, table


def test_the_table_is_wide_enough() -> None:
    rows = table()
    assert {row.path for row in rows.values()} == set(SPECS.glob("*.saga.yaml"))
    assert len(rows) >= 24
    assert all(designed(name).orchestrated is not name.startswith("choreographed") for name in rows)
    for prop in PROPERTIES:
        assert any(prop in row.broken for row in rows.values())
        assert any(prop not in row.broken for row in rows.values())


def test_the_same_design_gives_the_same_text() -> None:
    for name in table():
        assert promela(designed(name)) == promela(designed(name))


def test_bounds_stand_in_the_header() -> None:
    header = promela(designed("many-faults")).split("*/")[0]
    assert "at most 2 lost and 2 duplicated messages" in header
    assert "2 crashes" in header


@pytest.mark.oracle
@pytest.mark.parametrize("name", sorted(table()))
def test_spin_says_what_the_table_says(name: str) -> None:
    need_spin()
    run = spin_says(name)
    assert run.complete, run.why_incomplete
    assert set(run.broken) == set(table()[name].broken)
    assert not run.invalid_end_state
    assert run.acceptance_cycle == (LIVENESS in table()[name].broken)


@pytest.mark.oracle
def test_a_broken_property_comes_with_the_shortest_run(tmp_path: Path) -> None:
    need_spin()
    path = path_to(promela(designed("lost-and-never-late")), 3, tmp_path)
    assert path == snapshot(
        ("a message is lost: action of reserve", "reserve times out for the last time", "reserve is undone")
    )


@pytest.mark.oracle
def test_no_run_breaks_what_holds(tmp_path: Path) -> None:
    need_spin()
    model = promela(designed("calm"))
    assert [path_to(model, prop, tmp_path) for prop in SAFETY] == [()] * len(SAFETY)


@pytest.mark.oracle
@pytest.mark.parametrize(
    ("name", "rule", "mutant", "breaks"),
    [
        pytest.param("two-steps", "first[0] != 0", "false", {1, 2}, id="forget what was seen"),
        pytest.param("two-steps", "&& handled[0] ->", "&& false ->", {7}, id="never answer a late action"),
        pytest.param("two-steps", "acts[0] == 0) ->", "false) ->", {3}, id="undo what never was"),
        pytest.param("four-steps", "&& SETTLED_1", "", {5}, id="undo in any order"),
    ],
)
def test_a_broken_twin_of_a_rule_is_caught(name: str, rule: str, mutant: str, breaks: set[int], tmp_path: Path) -> None:
    need_spin()
    model = promela(designed(name))
    assert rule in model
    assert breaks <= verify(model.replace(rule, mutant), tmp_path).broken


@pytest.mark.oracle
def test_a_model_that_does_not_translate_is_said(tmp_path: Path) -> None:
    need_spin()
    with pytest.raises(SpinError, match="syntax error"):
        verify("active proctype broken( { skip }", tmp_path)


@pytest.mark.oracle
def test_a_search_that_is_cut_off_is_never_complete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need_spin()
    monkeypatch.setattr("tests.saga.promela.spin.DEPTH", 20)
    run = verify(promela(designed("two-steps")), tmp_path)
    assert not run.complete
    assert "depth" in run.why_incomplete
