"""What others say of the generated state machine: moto's interpreter, asl-validator, cfn-lint, ruff."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from halfopen.registry import Options
from halfopen.source import Source, validate
from halfopen_generators.saga.design import design
from halfopen_generators.saga.plan import SagaDesign
from halfopen_generators.saga.scenario import Delivery, Scenario, scenarios
from halfopen_generators.saga.spec import SagaSpec
from halfopen_generators.saga.targets import step_functions
from tests.oracles import require

pytestmark = pytest.mark.oracle

# What this target adds to the Python that all targets share.
OWN = ("tests/conftest.py", "tests/engine.py", "tests/test_engine.py")
LONG = "a-very-long-name-that-somebody-gave-to-a-step-of-a-saga-of-his-x"


def step(name: str, **more: Any) -> dict[str, Any]:
    words = "".join(word.capitalize() for word in name.split("-"))
    return {"name": name, "service": f"{name[:55]}-service", "action": words, **more}


def undoable(name: str, **more: Any) -> dict[str, Any]:
    return step(name, compensation=f"Undo{name.replace('-', '').capitalize()}"[:60], kind="compensatable", **more)


DESIGNS: dict[str, list[dict[str, Any]]] = {
    "checkout": [
        undoable("reserve-stock", can_be_refused=True, reply={"shelf": "string"}),
        step("charge-card", kind="pivot", can_be_refused=True, request={"amount": "int64"}),
        step("create-shipment", kind="retriable", request={"shelf": "string"}),
    ],
    "diamond": [
        undoable("a"),
        undoable("b", after=["a"], can_be_refused=True),
        undoable("c", after=["a"], reply={"c_id": "string"}),
        undoable("d", after=["c"], request={"c_id": "string"}),
        step("e", after=["b", "d"], kind="pivot", can_be_refused=True),
    ],
    "crossed": [
        undoable("a", after=[]),
        undoable("c", after=["a"]),
        undoable("b", after=[], can_be_refused=True),
        undoable("d", after=["a", "b"]),
    ],
    "no-pivot": [undoable("hold-room"), undoable("hold-flight", can_be_refused=True)],
    "one": [step("charge-card", kind="pivot", can_be_refused=True)],
    "six": [
        *(undoable(f"step-{number}", can_be_refused=number == 4) for number in range(1, 5)),
        step("decide", kind="pivot", can_be_refused=True),
        step("tell", kind="retriable", read_only=True),
    ],
    "odd-names": [
        undoable(LONG, request={"class": "string"}, reply={"lambda": "string"}),
        undoable("import", can_be_refused=True, request={"lambda": "string"}),
        step("X1", kind="pivot"),
    ],
    "kept-apart": [
        step("look", kind="compensatable", read_only=True, reads=["stock"]),
        undoable(
            "reserve-stock",
            can_be_refused=True,
            service="look-service",
            reads=["stock"],
            writes=["stock"],
            countermeasures={"stock": "reread-value"},
        ),
        undoable(LONG, writes=["book"], countermeasures={"book": "semantic-lock"}),
        step("pay", kind="pivot", writes=["account"], countermeasures={"account": "semantic-lock"}),
    ],
}


def designed(steps: list[dict[str, Any]], **more: Any) -> SagaDesign:
    spec = {"saga": "checkout", "style": "orchestration", "correlation_key": "order_id", "steps": steps, **more}
    source = Source(spec)
    return design(validate(SagaSpec, source), source, Options())


def written(folder: Path, found: SagaDesign, *more: Scenario) -> Path:
    for each in step_functions.artifacts(found, (*scenarios(found), *more)):
        path = folder / each.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(each.text, encoding="utf-8")
    return folder


def run(folder: Path, *command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=500, check=False)


def suite(folder: Path) -> tuple[dict[str, int], str]:
    """The generated suite's counts by outcome, and what it printed."""
    there = importlib.util.find_spec("moto") is not None
    require("moto", available=there, how_to_get="install 'moto[stepfunctions]' from PyPI")
    command = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", "addopts=", "-rx")
    ran = run(folder, *command, "tests/test_engine.py", "tests/test_scenarios.py")
    last = (ran.stdout.splitlines() or [""])[-1]
    counts = re.findall(r"(\d+) (passed|failed|errors?|xfailed|xpassed|skipped)", last)
    return {what: int(count) for count, what in counts}, ran.stdout + ran.stderr


@pytest.mark.parametrize("name", DESIGNS)
def test_every_scenario_is_replayed_on_moto(name: str, tmp_path: Path) -> None:
    found = designed(DESIGNS[name])
    counts, printed = suite(written(tmp_path, found))
    # A crash of the engine is the one thing that moto can't show.
    crashes = sum(each.crash_after is not None for each in scenarios(found))
    assert (set(counts), counts["skipped"]) == ({"passed", "skipped"}, crashes), printed[-6000:]
    assert counts["passed"] > len(scenarios(found)) - crashes + len(found.steps) + 2


SIX_BY_NAME = (
    "test_a_first_step_that_fails_does_not_hang",
    "test_a_timed_out_step_is_compensated",
    "test_a_late_reply_does_not_revive_a_failed_saga",
    "test_a_duplicate_reply_does_not_skip_a_step",
    "test_compensations_come_in_the_opposite_order",
    "test_a_crash_between_save_and_publish_recovers",
)


def test_the_six_failures_that_others_have_are_tests_by_name(tmp_path: Path) -> None:
    text = (written(tmp_path, designed(DESIGNS["six"])) / "tests/test_engine.py").read_text("utf-8")
    assert [name for name in SIX_BY_NAME if f"def {name}(" not in text] == []


def test_a_run_that_the_spec_as_it_stands_can_not_pass_is_expected_to_fail(tmp_path: Path) -> None:
    steps = [
        undoable("reserve-stock", retry={"attempts": 1}),
        step("charge-card", kind="pivot", can_be_refused=True),
    ]
    # A third party that can't tell that an action comes too late.
    services = {"reserve-stock-service": {"external": True, "accepts_empty_compensation": True}}
    services["charge-card-service"] = {}
    late = Scenario(
        name="late-after-undo",
        title="reserve-stock arrives after it was undone.",
        deliveries=(Delivery("reserve-stock", "action", "late"),),
        crash_after=None,
        outcome="cancelled",
        standing=(),
        undone=("reserve-stock",),
        breaks="SAG06",
    )
    found = designed(steps, services=services)
    counts, printed = suite(written(tmp_path / "broken", found, late))
    assert counts.get("failed") is None, printed[-4000:]
    assert "XFAIL tests/test_scenarios.py::test_the_run_ends_as_it_must[late-after-undo]" in printed
    mended = designed(steps, services={"reserve-stock-service": {}, "charge-card-service": {}})
    counts, printed = suite(written(tmp_path / "mended", mended, late))
    # Strict: a run said to fail that doesn't is a failure of the suite.
    assert counts.get("failed") == 1, printed[-4000:]
    assert "late-after-undo" in printed
    assert "XPASS(strict)" in printed


@pytest.mark.parametrize(
    ("mutant", "old", "new"),
    [
        ("an unknown outcome is not undone", '"Next": "Undo reserve-stock"', '"Next": "Run cancelled"'),
        ("a refusal is asked again", '"MaxAttempts": 0', '"MaxAttempts": 3'),
        ("a refusal goes on", '"Next": "charge-card was refused"', '"Next": "create-shipment"'),
        ("a step is skipped", '"Next": "charge-card"', '"Next": "create-shipment"'),
    ],
)
def test_a_broken_state_machine_fails_the_generated_suite(mutant: str, old: str, new: str, tmp_path: Path) -> None:
    folder = written(tmp_path, designed(DESIGNS["checkout"]))
    path = folder / step_functions.DEFINITION
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    counts, printed = suite(folder)
    assert counts.get("failed", 0) > 0, f"{mutant}: {printed[-4000:]}"


def validator() -> str:
    found = shutil.which("asl-validator")
    require("asl-validator", available=found is not None, how_to_get="npm install -g asl-validator")
    return str(found)


@pytest.mark.parametrize("name", DESIGNS)
def test_asl_validator_finds_nothing_and_a_dangling_next_if_there_is_one(name: str, tmp_path: Path) -> None:
    program = validator()
    folder = written(tmp_path, designed(DESIGNS[name]))
    ran = run(folder, program, "--json-path", step_functions.DEFINITION)
    assert (ran.returncode, "is valid" in ran.stdout) == (0, True), ran.stdout + ran.stderr
    definition = json.loads((folder / step_functions.DEFINITION).read_text("utf-8"))
    definition["States"]["Begin run"]["Next"] = "nowhere"
    (folder / "broken.json").write_text(json.dumps(definition), encoding="utf-8")
    ran = run(folder, program, "--json-path", "broken.json")
    assert ran.returncode != 0
    assert "MISSING_TRANSITION_TARGET" in ran.stdout + ran.stderr


def test_cfn_lint_finds_nothing_in_the_stack_and_a_misspelt_key_if_there_is_one(tmp_path: Path) -> None:
    program = shutil.which("cfn-lint", path=str(Path(sys.executable).parent))
    require("cfn-lint", available=program is not None, how_to_get="install cfn-lint from PyPI")
    folder = written(tmp_path, designed(DESIGNS["odd-names"]))
    ran = run(folder, str(program), "template.yaml")
    assert (ran.returncode, ran.stdout) == (0, ""), ran.stderr
    broken = (folder / "template.yaml").read_text("utf-8").replace("Handler:", "Handel:")
    (folder / "template.yaml").write_text(broken, encoding="utf-8")
    assert run(folder, str(program), "template.yaml").returncode != 0


@pytest.mark.parametrize("name", DESIGNS)
def test_the_python_of_this_target_is_clean(name: str, tmp_path: Path) -> None:
    there = shutil.which("ruff", path=str(Path(sys.executable).parent)) is not None
    require("ruff", available=there, how_to_get="install ruff from PyPI")
    folder = written(tmp_path, designed(DESIGNS[name]))
    own = [*OWN, "checkout_saga/handlers.py"]
    ruff = (sys.executable, "-m", "ruff")
    ran = run(folder, *ruff, "check", "--isolated", "--select", "E4,E7,E9,F,I,B,UP,W", *own)
    assert ran.returncode == 0, ran.stdout
    ran = run(folder, *ruff, "format", "--isolated", "--diff", *own)
    assert ran.returncode == 0, ran.stdout
