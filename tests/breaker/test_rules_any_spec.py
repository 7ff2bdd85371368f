"""Laws of the rules over any spec: no wolf is cried, evidence is there, and a fix that is written down mends."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from halfopen_generators.breaker.check import static_findings
from tests.breaker.designs import ROOT, designed
from tests.breaker.findings import BANK, found, mended, place, spec, text
from tests.breaker.specs import asked, undecided
from tests.breaker.stand_ins import stacks

__all__ = ["stacks"]
pytestmark = pytest.mark.usefixtures("stacks")
any_spec = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=25)


@any_spec
@given(undecided())
def test_what_is_decided_contradicts_nothing(data: dict[str, Any]) -> None:
    errors = {(each.code, place(each)) for each in found(data) if each.severity == "error"}
    cut_off = {place(each) for each in found(data) if each.code == "RES22"}
    # Only where the deadline is shorter than the dependency usually takes is there nothing to decide.
    assert {(code, where) for code, where in errors if not (code == "RES23" and where in cut_off)} == set()


@any_spec
@given(st.one_of(undecided(), asked()))
def test_evidence_can_be_looked_at(data: dict[str, Any]) -> None:
    lines = text(data).splitlines()
    for finding in found(data):
        for each in finding.evidence:
            key = each.path.split(".")[-1].split("[")[0]
            assert each.line is not None, (finding, each)
            assert key in lines[each.line - 1], (finding, each)


@any_spec
@given(st.one_of(undecided(), asked()))
def test_a_fix_that_is_written_down_mends(data: dict[str, Any]) -> None:
    for finding in found(data):
        better = mended(data, finding)
        if better is not None:
            left = {(each.code, place(each)) for each in found(better)}
            assert (finding.code, place(finding)) not in left, (finding, better)


@any_spec
@given(asked())
def test_a_message_can_be_read(data: dict[str, Any]) -> None:
    for finding in found(data):
        for words in (finding.message, finding.fix):
            assert words[-1] in ".`"
            assert not any(odd in words for odd in ("None", "nan", "inf ", "e-", "e+", "()", "  ")), words


HEALTHY: dict[str, dict[str, Any]] = {
    "a read, often and fast": spec(
        operation="GetPrice", idempotent=True, idempotency_key=None, traffic={"rate": "5000/s", "instances": 40},
        latency={"p50": "2ms", "p99": "12ms"}, deadline="100ms", criticality="degradable", fallback="cache",
        fallback_dependency="redis", stacks=["resilience4j", "istio"],
    ),
    "a few reports a day": spec(
        operation="MakeReport", idempotent=True, traffic={"rate": "30/h", "instances": 2},
        latency={"p50": "8s", "p99": "40s"}, deadline="5m", stacks=["python"],
    ),
    "a chain": spec(then=[BANK], stacks=["resilience4j", "grpc"]),
    "shards, and figures that stand already": spec(
        shards=8, hosts=24, capacity="600/s", timeout="500ms", retries={"attempts": 2, "budget": "10%"},
        breaker={"size": "60s", "minimum_calls": 20, "failure_ratio": "50%", "open_for": "5s", "probes": 3},
        bulkhead={"concurrent": 20}, stacks=["polly"],
    ),
    "a mesh alone": spec(hosts=6, capacity="400/s", stacks=["istio"]),
    "a quota, and hedged": spec(
        operation="Search", idempotent=True, quota="300/s", hedge=True, error_rate="1%", recovery_time="5m",
        traffic={"rate": "100/s", "quiet_rate": "40/s", "instances": 4}, stacks=["failsafe-go", "envoy"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", HEALTHY)
def test_no_wolf_is_cried(name: str) -> None:
    assert [each for each in found(HEALTHY[name]) if each.severity != "info"] == []


def test_no_wolf_is_cried_over_the_example() -> None:
    assert static_findings(designed((ROOT / "examples/payment.breaker.yaml").read_text())) == ()
