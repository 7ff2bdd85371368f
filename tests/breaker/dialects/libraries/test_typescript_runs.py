"""The generated TypeScript, compiled by tsc as strictly as it can be, and called on the real libraries."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from inline_snapshot import snapshot

from halfopen_generators.breaker.plan import BulkheadPlan, CallPlan, LimitPlan, RetryPlan, TimeoutPlan
from halfopen_generators.breaker.spec import Stack
from tests.breaker.dialects.libraries.laws import ALONE, everything, files, retrying_rejections
from tests.breaker.dialects.libraries.projects import CACHE, INSTALL, candidates, laid_out, ran
from tests.breaker.plans import BREAKER, call
from tests.oracles import require

pytestmark = pytest.mark.oracle

HERE = Path(__file__).parent / "typescript"
# Short, so that the runs are: nothing is concluded from how long they take.
PLAN = dataclasses.replace(
    everything(),
    timeout=TimeoutPlan(0.2, 0.5),
    retry=RetryPlan(4, 0.004, 1.5, 0.008, "full", 0.25, ("unreached", "unavailable", "timeout")),
    breaker=BREAKER,
    bulkhead=BulkheadPlan(7),
    limit=LimitPlan(1000),
)
COUNTED = dataclasses.replace(BREAKER, window="count", size=30)
LIBRARIES: list[Stack] = ["opossum", "cockatiel"]


def node() -> str:
    """Node as new as both libraries ask for."""
    for found in candidates("node"):
        told = subprocess.run([found, "--version"], capture_output=True, text=True, check=True).stdout
        if (version := re.match(r"v(\d+)", told)) and int(version[1]) >= 22:
            return found
    require("Node 22", available=False, how_to_get="uv sync --extra oracles")
    raise AssertionError


def compiled(stack: Stack, plan: CallPlan, folder: Path) -> Path:
    """The package, compiled; a warning is an error to tsc."""
    asked = CACHE / "typescript" / "package.json"
    there = asked.is_file() and asked.read_text("utf-8") == (HERE / "package.json").read_text("utf-8")
    require("opossum and cockatiel from npm", available=there, how_to_get=INSTALL)
    laid_out(files(stack, plan), folder)
    package = folder / stack
    (package / "node_modules").symlink_to(CACHE / "typescript" / "node_modules")
    ran([node(), "node_modules/typescript/bin/tsc"], package)
    return package


@pytest.mark.parametrize("stack", LIBRARIES)
@pytest.mark.parametrize(
    "plan",
    [
        everything(),
        call(breaker=COUNTED),
        retrying_rejections(),
        dataclasses.replace(call(), key=None),
        call(retry=None, breaker=None, bulkhead=None),
        *ALONE,
        everything(dependency="new", operation="class"),
    ],
)
def test_it_compiles(stack: Stack, plan: CallPlan, tmp_path: Path) -> None:
    built = {path.name for path in (compiled(stack, plan, tmp_path) / "dist").iterdir()}
    assert built == {"resilience.js", f"{plan.name}.js"}


@pytest.mark.parametrize("stack", LIBRARIES)
def test_the_pinned_versions_are_those_it_is_run_with(stack: Stack) -> None:
    wanted = json.loads(files(stack, call())[f"{stack}/package.json"])
    installed = json.loads((HERE / "package.json").read_text("utf-8"))["dependencies"]
    pinned = {**wanted["dependencies"], **wanted["devDependencies"]}
    assert pinned == {name: installed[name] for name in pinned}


def run(stack: Stack, plan: CallPlan, folder: Path) -> Any:
    package = compiled(stack, plan, folder)
    return json.loads(ran([node(), HERE / "runs.mjs", package / "dist"], package))


def test_calls_go_as_intended_on_opossum(tmp_path: Path) -> None:
    assert run("opossum", PLAN, tmp_path) == snapshot(
        {
            "mended": "charged",
            "keys": ["order-7", "order-7", "order-7"],
            "openedAfter": 20,
            "whileOpen": "instead, for BreakerOpen",
            "triesWhileOpen": 0,
            "answer": "TypeError after 1",
            "triesOfFourCalls": 5,
            "eightAtOnce": [
                "charged",
                "charged",
                "charged",
                "charged",
                "charged",
                "charged",
                "charged",
                "instead, for BulkheadFull",
            ],
            "cutShort": "instead, for DeadlineExceeded",
            "allTriesTold": True,
            "waitsDrawn": 3,
        }
    )


def test_calls_go_as_intended_on_cockatiel(tmp_path: Path) -> None:
    assert run("cockatiel", PLAN, tmp_path) == snapshot(
        {
            "mended": "charged",
            "keys": ["order-7", "order-7", "order-7"],
            "openedAfter": 20,
            "whileOpen": "instead, for BrokenCircuitError",
            "triesWhileOpen": 0,
            "answer": "TypeError after 1",
            "triesOfFourCalls": 5,
            "eightAtOnce": [
                "charged",
                "charged",
                "charged",
                "charged",
                "charged",
                "charged",
                "charged",
                "instead, for BulkheadRejectedError",
            ],
            "cutShort": "instead, for TaskCancelledError",
            "allTriesTold": True,
            "waitsDrawn": 3,
        }
    )


@pytest.mark.parametrize("stack", LIBRARIES)
def test_all_of_them_failing_opens_it(stack: Stack, tmp_path: Path) -> None:
    """At 100 %, which neither library ever exceeds."""
    sure = dataclasses.replace(BREAKER, failure_ratio=1.0)
    assert run(stack, dataclasses.replace(PLAN, breaker=sure), tmp_path)["openedAfter"] == BREAKER.minimum_calls


def test_cockatiel_counts_calls_too(tmp_path: Path) -> None:
    counted = dataclasses.replace(COUNTED, minimum_calls=12)
    assert run("cockatiel", dataclasses.replace(PLAN, breaker=counted), tmp_path)["openedAfter"] == 12
