"""Generated code where runs meet: anomalies that really happen, and what keeps them out, on every engine."""

from __future__ import annotations

import importlib.util
import json
import signal
import subprocess
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from halfopen_generators.saga.scenario import scenarios
from halfopen_generators.saga.targets import step_functions
from tests.oracles import require
from tests.saga import support_dbos, support_temporal
from tests.saga.support_dbos import drive, need_dbos, python
from tests.saga.support_meetings import BROKEN, IN_THE_WAY, ITSELF, LOCKED, REREAD, counterexamples, modules
from tests.saga.support_postgres import private_postgres
from tests.saga.support_temporal import program

pytestmark = pytest.mark.oracle

ENGINES = ("dbos", "temporal", "step-functions")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with private_postgres() as url:
        yield url


def written(engine: str, text: str, folder: Path, found_in: str = "") -> Path:
    """The code for the spec, with the counterexamples of another spec, or of its own if none is given."""
    if engine == "temporal":
        program("temporal-test-server")
        return support_temporal.written(text, folder, counterexamples(found_in or text))
    if engine == "step-functions":
        moto = importlib.util.find_spec("moto") is not None
        require("moto", available=moto, how_to_get="install 'moto[stepfunctions]' from PyPI")
        design = support_dbos.designed(text)
        runs = (*scenarios(design), *counterexamples(found_in or text))
        for each in step_functions.artifacts(design, runs):
            (folder / each.path).parent.mkdir(parents=True, exist_ok=True)
            (folder / each.path).write_text(each.text, encoding="utf-8")
        return folder
    need_dbos()
    return support_dbos.written(text, folder, counterexamples(found_in or text))


def run_meetings(folder: Path, *more: str, **environment: str) -> subprocess.CompletedProcess[str]:
    options = ("-q", "-p", "no:cacheprovider", "-rA", "--tb=short", *more)
    return python(folder, "-m", "pytest", "tests/test_meetings.py", *options, **environment)


def outcomes(process: subprocess.CompletedProcess[str]) -> dict[str, str]:
    """By the name of each meeting what came of its test."""
    lines = [line for line in process.stdout.splitlines() if line.startswith(("PASSED", "FAILED", "XFAIL", "ERROR"))]
    return {line.split("[")[1].split("]")[0]: line.split()[0] for line in lines if "[" in line}


# ---- its own tests -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ENGINES)
def test_the_anomalies_that_the_checker_finds_happen(engine: str, tmp_path: Path) -> None:
    process = run_meetings(written(engine, BROKEN, tmp_path))
    assert process.returncode == 0, process.stdout + process.stderr
    told = [meeting.name for meeting in counterexamples(BROKEN)]
    assert outcomes(process) == dict.fromkeys(told, "XFAIL")
    assert len(told) == 3


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("text", "mends"), [(LOCKED, ("dirty", "fuzzy", "lost")), (REREAD, ("fuzzy",))])
def test_they_no_longer_happen_once_the_spec_is_mended(
    engine: str, text: str, mends: tuple[str, ...], tmp_path: Path
) -> None:
    process = run_meetings(written(engine, text, tmp_path, found_in=BROKEN))
    found = outcomes(process)
    # What is expected to fail and does not is what a strict xfail reports.
    gone = {name for name, outcome in found.items() if "counterexample" in name and outcome == "FAILED"}
    expected = {meeting.name for meeting in counterexamples(BROKEN) if meeting.told[0].startswith(mends)}
    assert gone == expected, process.stdout + process.stderr
    assert process.stdout.count("[XPASS(strict)]") >= len(expected)
    kept = [outcome for name, outcome in found.items() if name.startswith("kept-apart")]
    assert kept == ["PASSED"] * (2 if text == LOCKED else 1)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", IN_THE_WAY)
def test_runs_are_in_each_others_way_as_it_is_told(engine: str, name: str, tmp_path: Path) -> None:
    text, _ = IN_THE_WAY[name]
    process = run_meetings(written(engine, text, tmp_path), "-k", "counterexample")
    told = [meeting.name for meeting in counterexamples(text)]
    assert outcomes(process) == dict.fromkeys(told, "XFAIL"), process.stdout + process.stderr


@pytest.mark.parametrize(
    ("name", "kept", "not_kept"),
    [
        ("locks", 'if each.touch.by == "semantic-lock"', 'if each.touch.by == "no lock"'),
        ("values", 'each.touch.by == "reread-value"', 'each.touch.by == "no value"'),
        ("effects", 'each.touch.by == "reread-value"', 'each.touch.by == "no value"'),
    ],
)
def test_what_is_told_counts_as_expected_only_if_it_happens(
    name: str, kept: str, not_kept: str, tmp_path: Path
) -> None:
    text, _ = IN_THE_WAY[name]
    folder = written("dbos", text, tmp_path)
    place = folder / "tickets_saga" / "isolation.py"
    source = place.read_text("utf-8")
    assert source.count(kept) == 1
    place.write_text(source.replace(kept, not_kept), encoding="utf-8")
    process = run_meetings(folder, "-k", "counterexample")
    told = [meeting.name for meeting in counterexamples(text)]
    assert outcomes(process) == dict.fromkeys(told, "FAILED"), process.stdout + process.stderr
    assert process.stdout.count("[XPASS(strict)]") >= len(told)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_tests_of_runs_that_meet_are_laid_out_and_typed(engine: str, tmp_path: Path) -> None:
    for name, text in {"broken": BROKEN, "locks": IN_THE_WAY["locks"][0], "values": IN_THE_WAY["values"][0]}.items():
        folder = written(engine, text, tmp_path / name)
        for command in (
            ["ruff", "format", "--isolated", "--diff"],
            ["ruff", "check", "--isolated"],
            ["mypy", "--strict"],
        ):
            process = python(folder, "-m", *command, "--cache-dir", tmp_path / "cache", ".")
            assert process.returncode == 0, process.stdout + process.stderr


def test_runs_are_kept_apart_on_postgresql(server: str, tmp_path: Path) -> None:
    for number, text in enumerate((BROKEN, LOCKED, REREAD)):
        process = run_meetings(written("dbos", text, tmp_path / str(number)), TICKETS_TEST_SERVER=server)
        assert process.returncode == 0, process.stdout + process.stderr


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("text", "module", "mended", "broken", "complaint"),
    [
        (LOCKED, "isolation", "and each.held_by is not None", "and False", "look was handled, not held"),
        (LOCKED, "isolation", "held_by = NULL", "held_by = held_by", "has ended, and holds seats"),
        (REREAD, "isolation", "each.seen not in (None, each.version)", "False", "hold was handled, not refused"),
        (REREAD, "isolation", "version = :after", "version = :before", "hold was handled, not refused"),
    ],
    ids=["no-lock-is-asked", "no-lock-is-freed", "nothing-is-compared", "no-version-is-counted"],
)
def test_a_test_fails_where_generated_code_no_longer_keeps_runs_apart(
    engine: str, text: str, module: str, mended: str, broken: str, complaint: str, tmp_path: Path
) -> None:
    folder = written(engine, text, tmp_path)
    place = folder / "tickets_saga" / f"{module}.py"
    source = place.read_text("utf-8")
    assert source.count(mended) == 1
    place.write_text(source.replace(mended, broken), encoding="utf-8")
    # One failure is what is asked for; what the fault does to the next run may take as long as the saga may.
    process = run_meetings(folder, "-k", "kept-apart", "--exitfirst")
    assert set(outcomes(process).values()) == {"FAILED"}, process.stdout + process.stderr
    assert complaint in process.stdout


@pytest.mark.parametrize(
    ("engine", "file", "told", "untold"),
    [
        ("dbos", "tickets_saga/saga.py", "sent = [step for step in locking", "sent = [step for step in []"),
        ("temporal", "tickets_saga/saga.py", "sent = [step for step in locking", "sent = [step for step in []"),
        ("step-functions", "statemachine.asl.json", '"Next": "Release hall"', '"End": true'),
    ],
)
def test_a_test_fails_where_no_participant_is_told_that_a_run_has_ended(
    engine: str, file: str, told: str, untold: str, tmp_path: Path
) -> None:
    folder = written(engine, LOCKED, tmp_path)
    source = (folder / file).read_text("utf-8")
    assert told in source
    (folder / file).write_text(source.replace(told, untold), encoding="utf-8")
    process = run_meetings(folder, "-k", "kept-apart")
    assert set(outcomes(process).values()) == {"FAILED"}, process.stdout + process.stderr
    assert "has ended, and holds seats" in process.stdout


# ---- crashes -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("refuse", "outcome"), [([], "committed"), (["pay/action"], "cancelled")])
def test_a_lock_is_freed_though_the_orchestrator_is_killed_before_and_after(
    refuse: list[str], outcome: str, tmp_path: Path
) -> None:
    folder = written("dbos", LOCKED, tmp_path / "code")
    kill = ["look/release/before", "look/release/after"]
    urls = {name: f"sqlite:///{tmp_path / name}.db" for name in ("orchestrator_url", "participants_url")}
    plan = {
        "run": "killed",
        "kill": kill,
        "refuse": refuse,
        "marks": str(tmp_path),
        "settings": {**urls, "deadline": None, "backoff_scale": 0},
    }
    for _ in kill:
        process = drive(folder, plan)
        assert process.returncode == -signal.SIGKILL, process.stdout + process.stderr
    found = json.loads(drive(folder, plan).stdout.splitlines()[-1])
    assert (found["outcome"], found["held"]) == (outcome, [])
    assert found["sent"] == ["look/release"]


# ---- what a participant's database sees ----------------------------------------------------------------------


class Hall:
    """The participant `hall` of the generated code, and its database."""

    def __init__(self, package: Any, url: str) -> None:
        self.package = package
        self.store = package.store.Store(url)
        self.participant = package.participants.PARTICIPANTS["hall"]

    def ask(self, run: str, step: str, request: str = "action") -> Any:
        body = {"order_id": run}
        return self.participant.handle(self.store, self.package.messages.Request(run, step, request, body))

    def held(self, run: str) -> list[str]:
        with self.store.transaction() as connection:
            found: list[str] = self.package.isolation.held(connection, run)
            return found


Make = Callable[[str], Hall]


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    need_dbos()
    found = {}
    for name, text in (("locked", LOCKED), ("itself", ITSELF), ("reread", REREAD)):
        folder = support_dbos.written(text.replace("saga: tickets", f"saga: {name}"), tmp_path_factory.mktemp(name))
        found[name] = modules(folder, f"{name}_saga")
    return found


@pytest.fixture
def hall(packages: dict[str, Any], tmp_path: Path) -> Make:
    return lambda name: Hall(packages[name], f"sqlite:///{tmp_path}/hall.db")


@pytest.mark.parametrize("guarded_by", ["locked", "itself"])
def test_an_action_that_comes_after_the_release_locks_nothing(guarded_by: str, hall: Make) -> None:
    it = hall(guarded_by)
    # Given up on before it came, undone, and the run has ended.
    assert it.ask("a", "hold", "compensation").done
    assert it.ask("a", "look", "release").done
    assert not it.ask("a", "hold").done
    assert not it.ask("a", "look").done
    assert it.held("a") == []
    assert it.ask("b", "look").done


@pytest.mark.parametrize("guarded_by", ["locked", "itself"])
def test_a_copy_that_comes_after_the_release_locks_nothing(guarded_by: str, hall: Make) -> None:
    it = hall(guarded_by)
    for request in ("action", "release"):
        it.ask("a", "look", "action")
        it.ask("a", "hold", request)
    it.ask("a", "look")
    it.ask("a", "hold")
    assert it.held("a") == []
    assert it.ask("b", "look").done


@pytest.mark.parametrize("guarded_by", ["locked", "itself"])
def test_an_action_that_is_refused_as_late_before_the_release_locks_nothing(guarded_by: str, hall: Make) -> None:
    it = hall(guarded_by)
    assert it.ask("a", "hold", "compensation").done
    assert not it.ask("a", "hold").done
    assert it.held("a") == []


def test_a_release_may_come_twice_and_of_a_run_that_never_was_here(hall: Make) -> None:
    it = hall("locked")
    assert it.ask("a", "look").done
    assert [it.ask(run, "look", "release").done for run in ("a", "a", "nobody")] == [True] * 3
    assert it.ask("b", "look").done
    assert it.held("b") == ["seats"]


def test_a_run_does_not_wait_for_itself_nor_for_one_that_means_another_entity(
    packages: dict[str, Any], hall: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    it = hall("locked")
    operations = {
        name: operation.__class__(**{**vars(operation), "entities": {"seats": lambda asked: (asked.order_id,)}})
        for name, operation in it.participant.operations.items()
    }
    monkeypatch.setattr(
        it, "participant", it.participant.__class__(**{**vars(it.participant), "operations": operations})
    )
    assert [it.ask("a", "look").done, it.ask("a", "hold").done] == [True, True]
    assert [it.ask("b", "look").done, it.ask("b", "hold").done] == [True, True]
    assert it.held("a") == it.held("b") == ["seats"]
    assert packages["locked"] is it.package


def test_what_waits_for_a_lock_changes_nothing_and_is_answered_later(hall: Make) -> None:
    it = hall("locked")
    assert it.ask("a", "look").done
    with pytest.raises(TimeoutError, match=r"b/look/action waits: run a holds seats \(all\)"):
        it.ask("b", "look")
    touches = it.package.ledger.touches(it.store, ["a", "b"])
    assert [(touch.run, touch.what) for touch in touches] == [("a", "read")]
    it.ask("a", "look", "release")
    assert it.ask("b", "look").done


def test_a_run_that_changes_what_it_has_read_is_not_in_its_own_way(hall: Make) -> None:
    it = hall("reread")
    assert it.ask("a", "look").done
    assert it.ask("a", "hold").done
    assert it.ask("b", "look").done
    assert it.ask("a", "hold", "compensation").done
    answer = it.ask("b", "hold")
    assert (answer.done, answer.reason) == (False, "seats has changed since this run read it")
    # It is an answer like any other: the same, however often it is asked for.
    assert it.ask("b", "hold") == answer


def test_a_release_and_a_late_action_at_the_same_moment_leave_no_lock(
    packages: dict[str, Any], server: str, tmp_path: Path
) -> None:
    import psycopg

    name = f"hall_{uuid.uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
    assert tmp_path.exists()
    it = Hall(packages["itself"], server.replace("/postgres", f"/{name}"))
    with ThreadPoolExecutor(8) as threads:
        for number in range(20):
            run = f"run-{number}"
            asked = [threads.submit(it.ask, run, "look", what) for _ in range(4) for what in ("action", "release")]
            for each in asked:
                each.result()
            assert it.held(run) == []
    it.store.close()
