"""The outcome follows from the findings, also where only more faults than the spec's own break a promise."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings

from halfopen.progress import Silent
from halfopen.registry import capability
from halfopen.run import run
from halfopen.source import Source
from halfopen.vocabulary import Outcome, Report, ReportOutcome, Severity
from halfopen_generators.saga import verify as verification
from halfopen_generators.saga.options import SagaOptions
from halfopen_generators.saga.plan import SagaDesign
from halfopen_generators.saga.verify import verify
from tests.saga.designs import orchestrated

CALM: dict[str, Any] = {"lost_messages": 0, "duplicated_messages": 0, "crashes": 0, "late_messages": False}
# Nobody knows keys, which does harm only where a request can come twice.
FORGETFUL: dict[str, Any] = {
    "saga": "calm", "style": "orchestration", "deadline": "1m", "faults": CALM,
    "services": {"inv": {"deduplicates": False}, "pay": {"deduplicates": False}},
    "steps": [
        {"name": "reserve", "service": "inv", "action": "Reserve", "compensation": "Release"},
        {"name": "charge", "service": "pay", "action": "Charge", "kind": "pivot", "can_be_refused": True},
    ],
}  # fmt: skip


def report(spec: dict[str, Any], *, exact: bool = False) -> Report:
    return run(capability("saga"), Source(spec), SagaOptions(exact=exact), Silent())


def test_what_the_bounds_rule_out_is_a_warning_and_the_summary_says_why() -> None:
    found = report(FORGETFUL)
    assert found.outcome is ReportOutcome.WARN
    assert found.summary.endswith(
        "All 7 promises hold in all 9 states within the bounds of `faults`; more faults than these would break some: "
        "SAG04, SAG07."
    )
    assert {verdict.outcome for verdict in found.verdicts} == {Outcome.HOLDS}
    assert {(f.code, f.severity) for f in found.findings} == {("SAG04", "warning"), ("SAG07", "warning")}
    for finding in found.findings:
        assert finding.counterexample is not None
        assert not finding.counterexample.replayed
        assert "within its bounds every run was explored, and none does" in finding.message
    explored = next(check for check in found.checks if check.name == "state exploration")
    assert explored.detail.endswith("more faults than `faults` allows would break SAG04, SAG07")
    exactly = report(FORGETFUL, exact=True)
    assert [v.explored for v in exactly.verdicts] == [v.explored for v in found.verdicts]
    assert exactly.outcome is ReportOutcome.PASS


def test_beside_a_fault_within_the_bounds_it_stays_a_warning() -> None:
    reserve = {key: value for key, value in FORGETFUL["steps"][0].items() if key != "compensation"}
    found = report(FORGETFUL | {"steps": [reserve, FORGETFUL["steps"][1]]})
    assert found.outcome is ReportOutcome.FAIL
    assert {(f.code, f.severity) for f in found.findings} == {("SAG01", "error"), ("SAG07", "warning")}
    assert "1 of 7 promises is broken; errors: SAG01." in found.summary
    broken = {verdict.property: verdict.outcome for verdict in found.verdicts}
    assert broken["all or compensated"] is Outcome.VIOLATED
    assert broken["no effect twice"] is Outcome.INCOMPLETE


def test_what_the_bounds_are_not_known_to_rule_out_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verification, "MOST_WITHIN_BOUNDS", 3)
    found = report(FORGETFUL)
    assert found.outcome is ReportOutcome.FAIL
    assert "errors: SAG04, SAG07." in found.summary
    assert all("whether the bounds of `faults` rule it out is not known" in f.message for f in found.findings)


@settings(max_examples=40, deadline=None)
@given(orchestrated(most_steps=2))
def test_a_broken_verdict_has_an_error_and_an_error_of_the_checker_a_broken_verdict(design: SagaDesign) -> None:
    found = verify(design, SagaOptions(max_states=50_000), Silent())
    violated = {verdict.property for verdict in found.verdicts if verdict.outcome is Outcome.VIOLATED}
    assert violated == {broken.breach.promise for broken in found.breaks}
    exactly = verify(design, SagaOptions(exact=True, max_states=50_000), Silent())
    if exactly.complete:
        assert bool(found.breaks) == bool(exactly.breaks)


def test_no_summary_fails_without_a_reason() -> None:
    for spec in (FORGETFUL, FORGETFUL | {"faults": {}}):
        found = report(spec)
        worst = found.worst()
        assert (found.outcome is ReportOutcome.FAIL) == (worst is Severity.ERROR)
        assert "none" not in found.summary
