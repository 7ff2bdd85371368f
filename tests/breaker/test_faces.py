"""A policy as users get it: from the command line, from the MCP server, and from a check that has no time."""

# ruff: noqa: E501 - messages are quoted as users see them, on one line

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from inline_snapshot import snapshot
from mcp import Client

from halfopen.progress import Deadline, Silent
from halfopen.registry import capability
from halfopen.run import run
from halfopen.source import parse_source, read_source
from halfopen.vocabulary import Report, ReportOutcome, Severity, Status
from halfopen_generators.breaker.check import SIMULATED
from halfopen_generators.breaker.options import BreakerOptions
from halfopen_server.mcp import build_server
from halfopen_server.mcp_budget import MOST, compact
from tests.golden_folder import ROOT, by_hash_seed

EXAMPLE = "examples/payment.breaker.yaml"
HALFOPEN = Path(sys.executable).with_name("halfopen")
CHAIN = """\
caller: frontend
dependency: checkout
operation: PlaceOrder
idempotency_key: order_id
traffic: {rate: 200/s, instances: 3}
latency: {p50: 90ms, p99: 400ms}
deadline: 4s
stacks: [resilience4j]
then:
  - caller: checkout
    dependency: payment
    operation: ChargeCard
    idempotency_key: order_id
    traffic: {rate: 200/s, instances: 6}
    latency: {p50: 40ms, p99: 250ms}
    deadline: 900ms
"""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def halfopen(*arguments: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [HALFOPEN, *arguments],
        cwd=folder,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def report(**options: Any) -> Report:
    """Of the example, named as a user in the checkout names it."""
    source = replace(read_source(ROOT / EXAMPLE), file=EXAMPLE)
    return run(capability("breaker"), source, BreakerOptions(**options), Silent())


def told() -> str:
    """All of an answer as text."""
    return report(seeds=1).model_dump_json()


def answered(text: str) -> Report:
    return run(capability("breaker"), parse_source(text, "x.breaker.yaml"), BreakerOptions(seeds=1), Silent())


def test_the_example_is_spelled_read_back_and_simulated(tmp_path: Path) -> None:
    result = halfopen("breaker", ROOT / EXAMPLE, "--out", "out", "--format", "json", folder=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    found = Report.model_validate_json(result.stdout)
    passed = {check.name for check in found.checks if check.status is Status.PASSED}
    assert {"resilience4j means the same", "istio means the same", "grpc means the same", SIMULATED} <= passed
    assert not [check for check in found.checks if check.status is Status.FAILED]
    assert {(finding.code, finding.severity) for finding in found.findings} == snapshot(
        {("TGT02", Severity.INFO), ("TGT02", Severity.WARNING)}
    )
    assert found.summary.startswith(
        "checkout calls ChargeCard of payment: 900ms a try, 2 tries within 2s, open at 50% of 10s for 4500ms"
    )
    written = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert written - {".halfopen.json"} == {artifact.path for artifact in found.artifacts}
    assert {
        "POLICY.md", "DECISION.md", "payment-charge-card.breaker.yaml", "resilience4j/application.yml",
        "istio/payment-charge-card.virtual-service.yaml", "grpc/payment-charge-card.service-config.json",
        "prometheus/alerts.yml", "plots/goodput.svg", "experiment/EXPERIMENT.md",
    } <= written  # fmt: skip


def test_the_spec_as_checked_gives_the_same_policy_again(tmp_path: Path) -> None:
    found = {artifact.path: artifact.text for artifact in report(seeds=1).artifacts}
    (tmp_path / "again.breaker.yaml").write_text(found["payment-charge-card.breaker.yaml"])
    again = answered((tmp_path / "again.breaker.yaml").read_text())
    texts = {artifact.path: artifact.text for artifact in again.artifacts}
    for path, text in found.items():
        if path.startswith(("resilience4j/", "istio/", "grpc/", "prometheus/")):
            assert texts[path] == text


def test_the_same_spec_gives_the_same_bytes() -> None:
    assert len(by_hash_seed("tests.breaker.test_faces", "told()")) == 1


def test_only_one_stack_retries() -> None:
    texts = {artifact.path: artifact.text for artifact in report(seeds=1).artifacts}
    assert "retryPolicy" not in texts["grpc/payment-charge-card.service-config.json"]
    assert "attempts: 0" in texts["istio/payment-charge-card.virtual-service.yaml"]
    assert "max-attempts: 2" in texts["resilience4j/application.yml"]


def test_of_a_chain_the_innermost_call_retries() -> None:
    found = answered(CHAIN)
    assert found.outcome is not ReportOutcome.FAIL
    retries = {d.about: d.choice for d in found.decisions if d.about.endswith("retries")}
    assert retries["retries"] == "none"
    assert retries["then[0].retries"].startswith("2 tries")
    assert any(artifact.path.startswith("payment-charge-card/resilience4j/") for artifact in found.artifacts)
    assert any(artifact.path.startswith("checkout-place-order/resilience4j/") for artifact in found.artifacts)


def test_retries_of_a_chain_multiply() -> None:
    twice = CHAIN.replace("deadline: 4s", "deadline: 4s\nretries: {attempts: 3}") + "    retries: {attempts: 3}\n"
    codes = {finding.code: finding.message for finding in answered(twice).findings}
    assert codes["RES03"] == snapshot(
        "frontend calls checkout 3 times, checkout calls payment 3 times: one request of a user becomes 9 calls of payment "
        "at the worst, more than 4."
    )


def test_an_architecture_shows_who_waits_above(tmp_path: Path) -> None:
    (tmp_path / "shop.architecture.yaml").write_text(
        "architecture: shop\n"
        "services:\n"
        "  frontend:\n"
        "    calls:\n"
        "      - {to: checkout, timeout: 1s, retries: {attempts: 3}}\n"
        "  checkout: {calls: [{to: payment}]}\n"
        "  payment: {}\n"
    )
    spec = (ROOT / EXAMPLE).read_text() + "architecture: shop.architecture.yaml\n"
    (tmp_path / "payment.breaker.yaml").write_text(spec)
    result = halfopen("breaker", "payment.breaker.yaml", "--format", "json", "--seeds", "1", folder=tmp_path)
    assert (result.returncode, result.stderr) == (1, "")
    found = Report.model_validate_json(result.stdout)
    places = {finding.code: [str(place) for place in finding.evidence] for finding in found.findings}
    assert places["NET02"] == snapshot(
        ["payment.breaker.yaml:10 (deadline)", "shop.architecture.yaml:5 (services.frontend.calls[0])"]
    )
    assert places["RES03"] == snapshot(["shop.architecture.yaml:5 (services.frontend.calls[0])"])


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        (
            "error_rate: 0.2%",
            "error_rate: 120%",
            snapshot('halfopen: x.breaker.yaml:9: error_rate: "120%": a share is at most 100%.\n'),
        ),
        (
            "p99: 250ms",
            "p99: 25ms",
            snapshot(
                "halfopen: x.breaker.yaml:8: latency.p99: p99 is 25ms, below p50 (40ms): a higher quantile is never a shorter time.\n"
            ),
        ),
        (
            "deadline: 2s",
            "deadline: 20ms",
            snapshot(
                "halfopen: x.breaker.yaml:10: deadline: the deadline of 20ms is below the median latency of 40ms: more than half of all calls would be too late though all is well.\n"
            ),
        ),
        (
            "rate: 200/s",
            "rate: 0/s",
            snapshot(
                'halfopen: x.breaker.yaml:7: traffic.rate: "0/s": a rate is more than nothing: where nothing is called, nothing can be designed.\n'
            ),
        ),
        (
            "shards: 1",
            "shard: 1",
            snapshot(
                'halfopen: x.breaker.yaml:14: shard: unknown key "shard". Did you mean shards? Legal: caller, dependency, operation, idempotent, idempotency_key, traffic, latency, error_rate, deadline, criticality, fallback, fallback_dependency, recovery_time, shards, hosts, capacity, quota, hedge, retried_by, timeout, retries, breaker, bulkhead, then, architecture, stacks, objective.\n'
            ),
        ),
    ],
)
def test_figures_that_contradict_each_other_are_refused(right: str, wrong: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "x.breaker.yaml").write_text((ROOT / EXAMPLE).read_text().replace(right, wrong))
    result = halfopen("breaker", "x.breaker.yaml", "--out", "out", folder=tmp_path)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == said
    assert not (tmp_path / "out").exists()


def test_what_is_interrupted_says_so() -> None:
    source = replace(read_source(ROOT / EXAMPLE), file=EXAMPLE)
    found = run(capability("breaker"), source, BreakerOptions(), Deadline(Silent(), 0))
    (check,) = (check for check in found.checks if check.name == SIMULATED)
    assert (check.status, check.detail) == (Status.SKIPPED, "interrupted after 1 run.")
    assert found.outcome is ReportOutcome.WARN
    assert not [artifact.path for artifact in found.artifacts if artifact.path.startswith("plots/")]


@pytest.mark.anyio
async def test_another_agent_gets_a_verdict_and_links(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLAUDE_PROJECT_DIR", str(ROOT))
    async with Client(build_server()) as client:
        result = await client.call_tool("design_circuit_breaker", {"spec_file": EXAMPLE, "seeds": 1})
    assert not result.is_error
    reply = result.structured_content
    assert len(compact(reply)) <= MOST
    assert reply["outcome"] in {"pass", "warn"}
    assert {check["status"] for check in reply["checks"]} <= {"passed", "skipped"}
    assert "<svg" not in json.dumps(reply)
