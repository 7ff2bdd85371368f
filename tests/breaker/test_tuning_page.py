"""What the search around the design found, as a user reads it."""

from __future__ import annotations

import re

import pytest

from halfopen.progress import Deadline, Silent
from halfopen.registry import capability
from halfopen.run import run
from halfopen.source import parse_source
from halfopen.vocabulary import Report, Status
from halfopen_generators.breaker import tune
from halfopen_generators.breaker.options import BreakerOptions
from tests.golden_folder import ROOT

EXAMPLE = (ROOT / "examples" / "payment.breaker.yaml").read_text("utf-8")
TUNED = BreakerOptions(seeds=1, tune=True)
CHECK = "a policy meets the objective"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search that takes seconds."""
    monkeypatch.setattr(tune, "SEEDS", 1)
    monkeypatch.setattr(tune, "ROUNDS", 1)
    monkeypatch.setattr(tune, "MOST_RUNS", 80)


def answered(text: str) -> Report:
    return run(capability("breaker"), parse_source(text, "x.breaker.yaml"), TUNED, Silent())


def test_the_page_has_the_best_for_each_load() -> None:
    found = answered(EXAMPLE)
    texts = {artifact.path: artifact.text for artifact in found.artifacts}
    assert texts["TUNING.md"].startswith("# Figures around the design\n\nNo objective is stated, so goodput counts")
    rows = re.findall(r"^\| ([\d.]+)% \| ([\d.]+) \|", texts["TUNING.md"], re.MULTILINE)
    assert len(rows) > 1
    assert rows == sorted(rows, key=lambda row: (float(row[1]), float(row[0])))
    assert "plots/tuning.svg" in texts
    assert "plots/tuning.svg" in texts["TUNING.md"]
    assert CHECK not in {check.name for check in found.checks}


@pytest.mark.parametrize(("goodput", "status"), [("50%", Status.PASSED), ("100%", Status.FAILED)])
def test_an_objective_is_met_or_a_failed_check(goodput: str, status: Status) -> None:
    found = answered(EXAMPLE + f"objective: {{goodput: {goodput}}}\n")
    (check,) = (check for check in found.checks if check.name == CHECK)
    assert check.status is status
    assert re.search(r"[\d.]+% answered well, [\d.]+ tries a call$", check.detail)


def test_a_search_that_was_interrupted_says_so() -> None:
    source = parse_source(EXAMPLE + "objective: {goodput: 50%}\n", "x.breaker.yaml")
    found = run(capability("breaker"), source, TUNED, Deadline(Silent(), 0))
    (check,) = (check for check in found.checks if check.name == CHECK)
    assert (check.status, check.detail) == (Status.SKIPPED, "interrupted.")
    assert "TUNING.md" not in {artifact.path for artifact in found.artifacts}
