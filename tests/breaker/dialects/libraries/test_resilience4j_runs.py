"""The generated Java on the real Resilience4j: compiled without a warning, bound by Spring Boot, and called."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from halfopen_generators.breaker.plan import BulkheadPlan, CallPlan, LimitPlan, RetryPlan, TimeoutPlan
from tests.breaker.dialects.libraries.laws import ALONE, everything, files, retrying_rejections
from tests.breaker.dialects.libraries.projects import CACHE, INSTALL, laid_out, ran
from tests.breaker.plans import BREAKER, RETRY, call
from tests.oracles import require

pytestmark = pytest.mark.oracle

HERE = Path(__file__).parent / "java"
# Short, so that the runs are: nothing is concluded from how long they take.
PLAN = dataclasses.replace(
    everything(),
    timeout=TimeoutPlan(0.4, 1),
    retry=RetryPlan(4, 0.04, 1.5, 0.06, "full", 0.25, ("unreached", "unavailable", "timeout")),
    bulkhead=BulkheadPlan(7),
    limit=LimitPlan(2.5),
)


def compiled(plan: CallPlan, folder: Path) -> None:
    """The generated code alone, by the sternest measure; what runs it is only a test."""
    asked = CACHE / "java" / "pom.xml"
    there = asked.is_file() and asked.read_text("utf-8") == (HERE / "pom.xml").read_text("utf-8")
    require("Resilience4j from Maven", available=there, how_to_get=INSTALL)
    sources = [path for path in laid_out(files("resilience4j", plan), folder) if path.suffix == ".java"]
    libraries = f"{CACHE}/java/lib/*"
    ran(["javac", "-Xlint:all", "-Werror", "-d", folder / "classes", "-cp", libraries, *sources], folder)


@pytest.mark.parametrize(
    "plan",
    [
        call(),
        retrying_rejections(),
        dataclasses.replace(call(), key=None),
        call(breaker=dataclasses.replace(BREAKER, window="count", size=30)),
        call(retry=dataclasses.replace(RETRY, jitter="none", on=("unreached",))),
        call(retry=None, bulkhead=None),
        call(retry=None, breaker=None, bulkhead=None),
        *ALONE,
        everything(dependency="new", operation="class"),
    ],
)
def test_it_compiles_without_a_warning(plan: CallPlan, tmp_path: Path) -> None:
    compiled(plan, tmp_path)
    assert list(tmp_path.rglob("*Policy.class"))


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the run says, by name."""
    folder = tmp_path_factory.mktemp("resilience4j")
    compiled(dataclasses.replace(PLAN, limit=LimitPlan(1000)), folder)
    libraries = f"{CACHE}/java/lib/*"
    ran(["javac", "-d", folder / "classes", "-cp", f"{folder}/classes:{libraries}", HERE / "Runs.java"], folder)
    run = ["java", "-cp", f"{folder}/classes:{libraries}", "com.example.calls.Runs"]
    lines = ran([*run, folder / "resilience4j" / "application.yml"], folder).splitlines()
    return dict(line.split(" = ", 1) for line in lines if " = " in line)


def test_the_code_and_spring_boot_build_the_same(told: dict[str, str]) -> None:
    by_java = {name[5:]: value for name, value in told.items() if name.startswith("java ")}
    by_yaml = {name[5:]: value for name, value in told.items() if name.startswith("yaml ")}
    assert by_java == by_yaml
    assert by_java == snapshot(
        {
            "overall": "1000",
            "per_try": "400",
            "cancels": "true",
            "window": "TIME_BASED",
            "size": "10",
            "minimum_calls": "20",
            "failure": "50.0",
            "slow": "80.0",
            "slow_after": "700",
            "open_for": "5000",
            "probes": "3",
            "records a refusal": "false",
            "records a failure": "true",
            "ignores its own": "true",
            "concurrent": "7",
            "waits for a place": "0",
            "rate": "1000 in 1000",
            "waits for a permit": "0",
            "attempts": "4",
            "wait 1": "0 to 40",
            "wait 2": "0 to 60",
            "wait 3": "0 to 60",
            "retries ConnectException": "true",
            "retries UnavailableException": "true",
            "retries TimeoutException": "true",
            "retries IllegalStateException": "false",
            "retries CallNotPermittedException": "false",
        }
    )
    assert told["the registry's retry is the one in use"] == "true"


def test_calls_go_as_intended(told: dict[str, str]) -> None:
    assert {name: value for name, value in told.items() if not name.startswith(("java ", "yaml "))} == snapshot(
        {
            "the registry's retry is the one in use": "true",
            "mended": "charged",
            "keys": "[order-7, order-7]",
            "opened after tries": "20",
            "while open": "instead, for CallNotPermittedException",
            "tries while open": "0",
            "rejected": "true",
            "retries of a rejection": "0",
            "tries without a budget": "1",
            "full": "instead, for BulkheadFullException",
            "counted when full": "0",
            "cut short": "instead, for TimeoutException",
            "all tries interrupted": "true",
            "refused": "card refused after 1",
            "failures counted": "0",
            "threads end": "true",
        }
    )
