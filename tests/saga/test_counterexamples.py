"""What the checker finds, replayed by the tests it generates: each fails as told on the generated code, and only so."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from halfopen.progress import Silent
from halfopen.registry import capability
from halfopen.run import run
from halfopen.source import parse_source
from halfopen.vocabulary import Report
from halfopen.writing import write
from halfopen_generators.saga.counterexample import scenario
from halfopen_generators.saga.options import SagaOptions
from halfopen_generators.saga.scenario import Scenario
from halfopen_generators.saga.verify import verify
from tests.oracles import require
from tests.saga.support_dbos import designed, need_dbos, python
from tests.saga.support_temporal import program

# Three holds side by side: when one is refused, the others are under way, and what is asked of them may come late
# or not at all. Their timeouts are longer than any test waits.
TRIP = """
saga: trip
correlation_key: trip_id
deadline: 2m
services:
  flights: {external: true, deduplicates: true, GUARANTEE}
  hotels: {}
  wallet: {}
steps:
  - {name: flight, service: flights, action: HoldFlight, compensation: ReleaseFlight, after: [], timeout: 20s}
  - {name: hotel, service: hotels, action: HoldHotel, compensation: ReleaseHotel, after: [], can_be_refused: true}
  - {name: pay, service: wallet, action: DebitWallet, after: [flight, hotel], kind: pivot}
"""
EMPTY = TRIP.replace("GUARANTEE", "refuses_late_actions: true")
LATE = TRIP.replace("GUARANTEE", "accepts_empty_compensation: true")
# The same over rooms that two runs want: meetings and single runs in one suite.
ROOMS = EMPTY.replace("can_be_refused: true", "can_be_refused: true, writes: rooms").replace(
    "services:", "instances: 2\nservices:"
)


def told(text: str) -> dict[str, Scenario]:
    design = designed(text)
    breaks = verify(design, SagaOptions(), Silent()).breaks
    found = (scenario(design, broken) for broken in breaks)
    return {each.breaks or "": each for each in found if isinstance(each, Scenario)}


def fates(scenario: Scenario) -> list[tuple[str, str, str]]:
    return [(each.step, each.request, each.fate) for each in scenario.deliveries]


def test_what_was_under_way_when_the_run_turned_back_does_not_arrive() -> None:
    assert fates(told(EMPTY)["SAG18"]) == snapshot(
        [
            ("flight", "action", "lost"),
            ("flight", "action", "lost"),
            ("flight", "action", "lost"),
            ("hotel", "action", "refused"),
        ]
    )


def test_or_it_arrives_late() -> None:
    assert fates(told(LATE)["SAG06"]) == snapshot(
        [
            ("flight", "action", "late"),
            ("flight", "action", "lost"),
            ("flight", "action", "lost"),
            ("hotel", "action", "refused"),
        ]
    )


# ---- on the engines ------------------------------------------------------------------------------------------


def generated(text: str, target: str, folder: Path) -> Report:
    if target == "dbos":
        need_dbos()
    elif target == "temporal":
        program("temporal-test-server")
    else:
        moto = importlib.util.find_spec("moto") is not None
        require("moto", available=moto, how_to_get="install 'moto[stepfunctions]' from PyPI")
    report = run(capability("saga"), parse_source(text), SagaOptions(target=target), Silent())  # type: ignore[arg-type]
    write(report.artifacts, folder, overwrite=False)
    return report


@pytest.mark.oracle
@pytest.mark.parametrize("target", ["dbos", "temporal", "step-functions"])
@pytest.mark.parametrize("text", [EMPTY, LATE, ROOMS], ids=["never-arrives", "late", "meets"])
def test_every_counterexample_fails_on_the_generated_code_and_all_else_passes(
    text: str, target: str, tmp_path: Path
) -> None:
    report = generated(text, target, tmp_path)
    process = python(tmp_path, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-rx")
    assert process.returncode == 0, process.stdout + process.stderr
    expected = {found.counterexample.test.split()[-1] for found in report.findings if found.counterexample}  # type: ignore[union-attr]
    assert len(expected) == sum(found.severity == "error" for found in report.findings) > 0
    failing = {line.split("[")[1].split("]")[0] for line in process.stdout.splitlines() if line.startswith("XFAIL")}
    assert expected <= failing
