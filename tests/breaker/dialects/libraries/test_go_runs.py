"""The generated Go: formatted, vetted, and called on the real libraries."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from inline_snapshot import snapshot

from halfopen_generators.breaker.plan import BulkheadPlan, CallPlan, HedgePlan, LimitPlan, RetryPlan, TimeoutPlan
from halfopen_generators.breaker.spec import Stack
from tests.breaker.dialects.libraries.laws import ALONE, everything, files, retrying_rejections
from tests.breaker.dialects.libraries.projects import INSTALL, laid_out, ran
from tests.breaker.plans import BREAKER, RETRY, call
from tests.oracles import require

pytestmark = pytest.mark.oracle

HERE = Path(__file__).parent / "go"
# Nothing is fetched: what is missing was not installed.
OFFLINE = {"GOFLAGS": "-mod=mod", "GOPROXY": "off", "GONOSUMDB": "*", "GOTOOLCHAIN": "local"}
# Short, so that the runs are: nothing is concluded from how long they take.
PLAN = dataclasses.replace(
    everything(),
    timeout=TimeoutPlan(0.2, 0.5),
    retry=RetryPlan(4, 0.04, 1.5, 0.06, "full", 0.25, ("unreached", "unavailable", "timeout")),
    breaker=BREAKER,
    bulkhead=BulkheadPlan(7),
    limit=LimitPlan(1000),
    hedge=HedgePlan(0.05),
)
COUNTED = dataclasses.replace(BREAKER, window="count", size=30)
LIBRARIES: list[Stack] = ["gobreaker", "failsafe-go"]


def written(stack: Stack, plan: CallPlan, folder: Path) -> Path:
    """The module, with the sums of what it asks for."""
    require("Go", available=shutil.which("go") is not None, how_to_get="tests/grpc/install.sh")
    known = subprocess.run(
        ["go", "build", "-tags", "modules", "."],
        cwd=HERE,
        env={**os.environ, **OFFLINE, "GOFLAGS": "-mod=readonly"},
        capture_output=True,
        text=True,
        check=False,
    )
    require("the Go modules", available=known.returncode == 0, how_to_get=INSTALL)
    laid_out(files(stack, plan), folder)
    shutil.copy(HERE / "go.sum", folder / stack)
    return folder / stack


@pytest.mark.parametrize("stack", LIBRARIES)
@pytest.mark.parametrize(
    "plan",
    [
        everything(),
        call(breaker=COUNTED),
        retrying_rejections(),
        dataclasses.replace(call(), key=None),
        call(retry=dataclasses.replace(RETRY, jitter="none"), limit=LimitPlan(0.5)),
        call(retry=None, hedge=HedgePlan(0.3)),
        call(retry=None, breaker=None, bulkhead=None),
        *ALONE,
        everything(dependency="new", operation="class"),
    ],
)
def test_it_is_formatted_and_vetted(stack: Stack, plan: CallPlan, tmp_path: Path) -> None:
    module = written(stack, plan, tmp_path)
    assert ran(["gofmt", "-d", "."], module) == ""
    ran(["go", "vet", "./..."], module, OFFLINE)


@pytest.mark.parametrize("stack", LIBRARIES)
def test_the_pinned_versions_are_those_it_is_run_with(stack: Stack) -> None:
    installed = (HERE / "go.mod").read_text("utf-8")
    pinned = [line for line in files(stack, call())[f"{stack}/go.mod"].splitlines() if "github.com" in line]
    assert pinned
    assert [line for line in pinned if line.split("require ")[-1].strip() not in installed] == []


def run(stack: Stack, plan: CallPlan, folder: Path) -> Any:
    module = written(stack, plan, folder)
    for name in ("runs_test.go", f"open_{stack.replace('-', '_')}_test.go"):
        shutil.copy(HERE / name, module)
    ran(["go", "test", "-count=1", "-run", "TestRuns", "."], module, OFFLINE)
    return json.loads((module / "told.json").read_text("utf-8"))


def test_calls_go_as_intended_on_gobreaker(tmp_path: Path) -> None:
    assert run("gobreaker", PLAN, tmp_path) == snapshot(
        {
            "answer": ["error: card refused", 1],
            "caller gave up": False,
            "cut short": ["instead, for no answer in the time of all tries: context deadline exceeded", True],
            "eight at once": [
                "charged",
                "charged",
                "charged",
                "charged",
                "charged",
                "charged",
                "charged",
                "instead, for all places are taken",
            ],
            "mended": ["charged", ["order-7", "order-7", "order-7"]],
            "opens": [20, "instead, for circuit breaker is open", 0],
            "slow, hedged": "of try 1",
            "waits": True,
        }
    )


def test_calls_go_as_intended_on_failsafe_go(tmp_path: Path) -> None:
    assert run("failsafe-go", PLAN, tmp_path) == snapshot(
        {
            "answer": ["error: card refused", 1],
            "caller gave up": False,
            "cut short": ["instead, for timeout exceeded", True],
            "eight at once": [
                "charged",
                "charged",
                "charged",
                "charged",
                "charged",
                "charged",
                "charged",
                "instead, for bulkhead full",
            ],
            "mended": ["charged", ["order-7", "order-7", "order-7"]],
            "opens": [20, "instead, for circuit breaker open", 0],
            "slow, hedged": "of try 2",
            "waits": True,
        }
    )


@pytest.mark.parametrize("stack", LIBRARIES)
def test_all_of_them_failing_opens_it(stack: Stack, tmp_path: Path) -> None:
    sure = dataclasses.replace(BREAKER, failure_ratio=1.0)
    assert run(stack, dataclasses.replace(PLAN, breaker=sure), tmp_path)["opens"][0] == BREAKER.minimum_calls
