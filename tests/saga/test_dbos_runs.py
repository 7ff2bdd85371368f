"""The generated code at work on DBOS: its own tests, crashes at every point, and the ways in which sagas fail."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from halfopen_generators.saga.scenario import Delivery, Scenario
from tests.saga.support_dbos import (
    CHECKOUT,
    LACKING,
    SPECS,
    STUCK,
    TRANSFER,
    TRIP,
    designed,
    drive,
    need_dbos,
    python,
    written,
)
from tests.saga.support_postgres import private_postgres

pytestmark = pytest.mark.oracle

# What a try that is given up on takes, and what a participant that is too slow takes.
TIMEOUT, TOO_SLOW = 0.3, 1.0


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with private_postgres() as url:
        yield url


@pytest.fixture(scope="module")
def transfer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    need_dbos()
    return written(TRANSFER, tmp_path_factory.mktemp("transfer"))


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    need_dbos()
    return written(CHECKOUT, tmp_path_factory.mktemp("checkout"))


@pytest.fixture(scope="module")
def trip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    need_dbos()
    return written(TRIP, tmp_path_factory.mktemp("trip"))


@pytest.fixture
def sqlite(tmp_path: Path) -> dict[str, str]:
    return {name: f"sqlite:///{tmp_path / name}.db" for name in ("orchestrator_url", "participants_url")}


@pytest.fixture
def postgres(server: str) -> dict[str, str]:
    import psycopg

    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute("DROP DATABASE IF EXISTS saga WITH (FORCE)")
        admin.execute("CREATE DATABASE saga")
    url = server.replace("/postgres", "/saga")
    return {"orchestrator_url": url, "participants_url": url}


# ---- its own tests -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in SPECS if name not in ("long", "stuck")])
def test_the_generated_tests_pass_on_sqlite(name: str, tmp_path: Path) -> None:
    need_dbos()
    folder = written(SPECS[name], tmp_path)
    process = python(folder, "-m", "pytest", "-q", "-p", "no:cacheprovider")
    assert process.returncode == 0, process.stdout + process.stderr


LATE = Scenario(
    name="counterexample-late",
    title="DoC arrives after UndoC and is applied.",
    deliveries=(Delivery("s3", "action", "late"), *[Delivery("s3", "action", "lost")] * 2),
    crash_after=None,
    outcome="cancelled",
    standing=(),
    undone=("s3", "s2", "s1"),
    breaks="SAG06",
)
REFUSED_FOR_GOOD = Scenario(
    name="counterexample-refused",
    title="The run stands at ship for ever.",
    deliveries=(Delivery("ship", "action", "refused"),),
    crash_after=None,
    outcome="committed",
    standing=("reserve", "charge", "ship", "tell"),
    undone=(),
    breaks="SAG03",
)


@pytest.mark.parametrize(
    ("text", "told", "chosen", "reason"),
    [
        (LACKING, LATE, "counterexample", "SAG06: DoC arrives after UndoC and is applied."),
        (STUCK, REFUSED_FOR_GOOD, "counterexample", "SAG03: The run stands at ship for ever."),
        (STUCK, REFUSED_FOR_GOOD, "tell-never-delivered", "tell is given up on after 2 tries"),
    ],
    ids=["late", "refused-for-good", "given-up"],
)
def test_a_broken_spec_fails_as_its_counterexample_says(
    text: str, told: Scenario, chosen: str, reason: str, tmp_path: Path
) -> None:
    need_dbos()
    folder = written(text, tmp_path, [told])
    process = python(folder, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-rx", "-k", chosen)
    assert process.returncode == 0, process.stdout + process.stderr
    (line,) = (line for line in process.stdout.splitlines() if line.startswith("XFAIL"))
    assert reason in line
    assert "1 xfailed" in process.stdout


def test_the_generated_tests_pass_on_postgresql(server: str, checkout: Path) -> None:
    process = python(checkout, "-m", "pytest", "-q", "-p", "no:cacheprovider", CHECKOUT_TEST_SERVER=server)
    assert process.returncode == 0, process.stdout + process.stderr


def test_it_runs_as_it_stands(tmp_path: Path) -> None:
    need_dbos()
    folder = written(CHECKOUT, tmp_path)
    process = python(folder, "-m", "checkout_saga.main")
    assert process.returncode == 0, process.stderr
    said = process.stdout.splitlines()
    assert said[0] == "Run order_id-1 ended committed."
    assert sorted(said[1:]) == ["  charge-card: action", "  create-shipment: action", "  reserve-stock: action"]


# ---- crashes -------------------------------------------------------------------------------------------------


def outcome_of(folder: Path, plan: dict[str, Any], deaths: int = 0) -> dict[str, Any]:
    """What came of the plan, after exactly that many deaths by SIGKILL."""
    for _ in range(deaths):
        process = drive(folder, plan)
        assert process.returncode == -signal.SIGKILL, process.stdout + process.stderr
    process = drive(folder, plan)
    assert process.returncode == 0, process.stdout + process.stderr
    found: dict[str, Any] = json.loads(process.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_a_run_survives_a_kill_around_every_step(
    database: str, checkout: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    steps = [step.name for step in designed(CHECKOUT).steps]
    # Before a request gets out: the answer before it is in the log. After: it has run, and its answer is lost.
    kill = [f"{step}/action/{when}" for step in steps for when in ("before", "after")]
    plan = {
        "run": "killed",
        "kill": kill,
        "marks": str(tmp_path),
        "settings": {**request.getfixturevalue(database), "deadline": None, "backoff_scale": 0},
    }
    found = outcome_of(checkout, plan, deaths=len(kill))
    assert found["outcome"] == "committed"
    assert found["history"] == {step: ["action"] for step in steps}


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_a_run_that_turned_back_survives_a_kill_around_every_compensation(
    database: str, transfer: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    kill = [f"{step}/compensation/{when}" for step in ("credit", "debit") for when in ("before", "after")]
    plan = {
        "run": "killed",
        "kill": kill,
        "marks": str(tmp_path),
        "refuse": ["class/action"],
        "settings": {**request.getfixturevalue(database), "deadline": None, "backoff_scale": 0},
    }
    found = outcome_of(transfer, plan, deaths=len(kill))
    assert found["outcome"] == "cancelled"
    assert found["history"] == {"debit": ["action", "compensation"], "credit": ["action", "compensation"]}


# ---- six ways in which sagas are known to fail ---------------------------------------------------------------


def settings(urls: dict[str, str], step_timeout: float = 5.0, **more: Any) -> dict[str, Any]:
    return {**urls, "deadline": None, "backoff_scale": 0, "timeout_scale": TIMEOUT / step_timeout, **more}


def test_a_first_step_that_fails_does_not_hang(transfer: Path, sqlite: dict[str, str]) -> None:
    plan = {"run": "first", "refuse": ["debit/action"], "settings": settings(sqlite, TIMEOUT)}
    found = outcome_of(transfer, plan)
    assert found["outcome"] == "cancelled"
    assert found["because"] == "debit was refused: the scenario says no"
    assert found["history"] == {}
    assert found["sent"] == ["debit/action"]


def test_a_step_that_timed_out_is_compensated(transfer: Path, sqlite: dict[str, str]) -> None:
    slow = {"credit/action": {"after": TOO_SLOW}}
    found = outcome_of(transfer, {"run": "timeout", "slow": slow, "settings": settings(sqlite)})
    assert found["outcome"] == "cancelled"
    assert found["because"] == "credit gave no answer in 3 tries"
    assert found["history"] == {"debit": ["action", "compensation"], "credit": ["action", "compensation"]}


def test_an_answer_outside_its_contract_is_no_answer(checkout: Path, sqlite: dict[str, str]) -> None:
    plan = {"run": "misfit", "misfit": ["reserve-stock/action"], "settings": settings(sqlite)}
    found = outcome_of(checkout, plan)
    assert found["outcome"] == "cancelled"
    told = "what came does not fit: ReserveStockReply: reservation_id is missing"
    assert found["because"] == f"reserve-stock gave no answer in 3 tries; in the last, {told}"
    back = ["reserve-stock/compensation", "reserve-stock/release"]
    assert found["sent"] == [*["reserve-stock/action"] * 3, *back]
    assert found["history"] == {"reserve-stock": ["action", "compensation"]}


def test_a_late_reply_does_not_revive_a_run_that_failed(transfer: Path, sqlite: dict[str, str]) -> None:
    # Every try runs, and answers, only after the run has ended.
    slow = {"credit/action": {"before": 3 * TIMEOUT + TOO_SLOW}}
    found = outcome_of(transfer, {"run": "late", "slow": slow, "settings": settings(sqlite)})
    assert found["outcome"] == "cancelled"
    assert found["later"] == "cancelled"
    assert found["history"] == {"debit": ["action", "compensation"]}
    assert "class/action" not in found["sent"]


def test_a_duplicate_reply_skips_no_step(transfer: Path, sqlite: dict[str, str]) -> None:
    twice = ["debit/action", "credit/action", "class/action"]
    found = outcome_of(transfer, {"run": "twice", "twice": twice, "settings": settings(sqlite, TIMEOUT)})
    assert found["outcome"] == "committed"
    assert found["history"] == {step: ["action"] for step in ("debit", "credit", "class")}
    assert found["sent"] == twice


def test_compensations_come_in_the_reverse_order(transfer: Path, sqlite: dict[str, str]) -> None:
    plan = {"run": "order", "refuse": ["class/action"], "settings": settings(sqlite, TIMEOUT)}
    sent = outcome_of(transfer, plan)["sent"]
    assert sent == ["debit/action", "credit/action", "class/action", "credit/compensation", "debit/compensation"]


def test_a_crash_between_saving_and_publishing_recovers(checkout: Path, tmp_path: Path, sqlite: dict[str, str]) -> None:
    # The answer to reserve-stock is saved, and charge-card is about to be sent.
    plan = {"run": "crash", "kill": ["charge-card/action/before"], "marks": str(tmp_path), "settings": settings(sqlite)}
    found = outcome_of(checkout, plan, deaths=1)
    assert found["outcome"] == "committed"
    # By the second process.
    assert found["sent"] == ["charge-card/action", "create-shipment/action", "reserve-stock/release"]
    assert found["history"] == {step: ["action"] for step in ("reserve-stock", "charge-card", "create-shipment")}


# ---- branches ------------------------------------------------------------------------------------------------


def test_branches_do_not_wait_for_each_other(trip: Path, sqlite: dict[str, str]) -> None:
    slow = {"book-flight/action": {"before": TOO_SLOW}}
    found = outcome_of(trip, {"run": "branches", "slow": slow, "settings": settings(sqlite, TIMEOUT)})
    assert found["outcome"] == "committed"
    other = ["check-trip/action", "book-hotel/action", "book-car/action"]
    assert found["answered"] == [*other, "book-flight/action", "pay/action", "send-mail/action"]


def test_a_refusal_on_one_branch_waits_for_what_is_at_work_on_the_other(trip: Path, sqlite: dict[str, str]) -> None:
    slow = {"book-flight/action": {"before": TOO_SLOW}}
    plan = {"run": "refused", "slow": slow, "refuse": ["book-hotel/action"], "settings": settings(sqlite, TIMEOUT)}
    found = outcome_of(trip, plan)
    assert found["outcome"] == "cancelled"
    assert found["history"] == {"book-flight": ["action", "compensation"]}
    assert found["answered"][-2:] == ["book-flight/action", "book-flight/compensation"]


# ---- what a participant's database sees ----------------------------------------------------------------------


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_requests_that_arrive_at_once_take_effect_once(
    database: str, transfer: Path, request: pytest.FixtureRequest
) -> None:
    found = drive(transfer, {"race": 8, "settings": request.getfixturevalue(database)})
    assert found.returncode == 0, found.stderr
    races = json.loads(found.stdout)
    assert len(races) == 8
    # The same action eight times: done once. And against its compensation: undone if it was done, or never done.
    assert {tuple(race["action"]) for race in races} == {("action",)}
    assert {tuple(race["both"]) for race in races} <= {("action", "compensation"), ()}


# ---- the deadline --------------------------------------------------------------------------------------------


def test_a_deadline_turns_a_run_back_that_is_not_past_its_pivot(transfer: Path, sqlite: dict[str, str]) -> None:
    slow = {"credit/action": {"after": TOO_SLOW}}
    given = {**sqlite, "deadline": TIMEOUT, "backoff_scale": 0}
    found = outcome_of(transfer, {"run": "deadline", "slow": slow, "settings": given})
    assert found["outcome"] == "cancelled"
    assert found["because"] == "the deadline has passed"
    # The action was at work; its compensation waited for it.
    assert found["history"] == {"debit": ["action", "compensation"], "credit": ["action", "compensation"]}


def test_a_deadline_behind_the_pivot_turns_nothing_back(checkout: Path, sqlite: dict[str, str]) -> None:
    slow = {"create-shipment/action": {"before": TOO_SLOW}}
    given = {**sqlite, "deadline": TIMEOUT, "backoff_scale": 0}
    process = drive(checkout, {"run": "deadline", "slow": slow, "settings": given})
    assert json.loads(process.stdout.splitlines()[-1])["outcome"] == "committed"
    assert process.stderr.count("Run deadline is overdue, with no way back: a person should look") == 1
