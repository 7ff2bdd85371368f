"""Istio's objects: they mean the plan, also by what they leave out, and their schema refuses what Istio would."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from inline_snapshot import snapshot

from halfopen.vocabulary import Status
from halfopen_generators.breaker.dialects import dialect
from halfopen_generators.breaker.plan import CallPlan
from tests.breaker.dialects.meshes.spelled import figures, reading, shares, texts, told, unseen, wrong
from tests.breaker.plans import KNOWN, RETRY, call

ISTIO = dialect("istio")
SHARE = call().only(ISTIO.parts)


def trees(plan: CallPlan) -> dict[str, Any]:
    return {path: yaml.safe_load(text) for path, text in texts(ISTIO, plan).items()}


def read(found: dict[str, Any]) -> Any:
    return ISTIO.read({path: yaml.safe_dump(tree) for path, tree in found.items()})


def route(found: dict[str, Any]) -> Any:
    return found["istio/payment-charge-card.virtual-service.yaml"]["spec"]["http"][0]


def policy(found: dict[str, Any]) -> Any:
    return found["istio/payment-charge-card.destination-rule.yaml"]["spec"]["trafficPolicy"]


def test_the_objects_of_the_sample() -> None:
    assert "".join(f"## {path}\n{text}" for path, text in texts(ISTIO, SHARE).items()) == snapshot("""\
## istio/payment-charge-card.virtual-service.yaml
# How one operation is tried. It is found by its path, as gRPC has it: over plain HTTP write your own match.
# All else goes to the host as it did.
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: payment-charge-card
spec:
  hosts:
  - payment
  http:
  - name: payment-charge-card
    match:
    - uri:
        regex: .*/ChargeCard
    route:
    - destination:
        host: payment
    timeout: 2s
    # Retries: the first try isn't counted.
    retries:
      attempts: 1
      perTryTimeout: 0.9s
      retryOn: connect-failure,refused-stream,503,unavailable,reset,504,deadline-exceeded
      # Waits are random: up to this at first, up to twice as long each time, ten times at most.
      backoff: 0.1s
  - name: as-before
    route:
    - destination:
        host: payment
## istio/payment-charge-card.destination-rule.yaml
# How many calls are under way to the host, and when an endpoint of it is left out.
# Both hold for all that is called there.
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata:
  name: payment-charge-card
spec:
  host: payment
  trafficPolicy:
    connectionPool:
      http:
        http1MaxPendingRequests: 13
        http2MaxRequests: 13
    # Retries are that share of what is under way; without it Istio lets any number through.
    retryBudget:
      percent: 20
      minRetryConcurrency: 1
    outlierDetection:
      consecutive5xxErrors: 4
      # How often it is looked who may come back.
      interval: 0.5s
      baseEjectionTime: 5s
      # So that at most 1 of 3 hosts can be out at once.
      maxEjectionPercent: 34
      # No panic: hosts that are out get nothing, however few are left.
      minHealthPercent: 0
""")


@given(shares())
@settings(deadline=None)
def test_the_objects_mean_the_plan(plan: CallPlan) -> None:
    assert wrong(ISTIO, plan) == []


@given(shares())
@settings(deadline=None)
def test_the_schema_takes_whatever_is_spelled(plan: CallPlan) -> None:
    (found,) = ISTIO.checks(plan, ISTIO.says(plan))
    assert (found.status, found.detail) == (Status.PASSED, "payment-charge-card: VirtualService, DestinationRule")


def test_no_figure_can_change_unseen() -> None:
    # How many hosts there are isn't in the files: which part of them may be out is held by tests of its own.
    names = {"maxEjectionPercent", "minHealthPercent"}
    assert {path[-1] for path in unseen(trees(SHARE), read)} == names
    assert len(list(figures(trees(SHARE)))) == 13


@pytest.mark.parametrize(
    ("gone", "terms"),
    [
        (
            "retries",
            {"attempts": 3, "first_wait": 0.025, "longest_wait": 0.25, "per_try": 2, "retried_on": ("unavailable",
             "unreached")},
        ),
        ("timeout", {"overall": None}),
    ],
)  # fmt: skip
def test_what_a_route_leaves_out_is_read_as_istio_has_it(gone: str, terms: dict[str, Any]) -> None:
    found = trees(SHARE)
    before = read(found)
    del route(found)[gone]
    assert read(found) == {**before, **terms}


@pytest.mark.parametrize(
    ("gone", "terms"),
    [
        ("consecutive5xxErrors", {"size": 5, "minimum_calls": 5}),
        ("baseEjectionTime", {"open_for": 30}),
        ("interval", {"open_for": 15}),
    ],
)
def test_what_an_ejection_leaves_out_is_read_as_envoy_has_it(gone: str, terms: dict[str, Any]) -> None:
    found = trees(SHARE)
    before = read(found)
    del policy(found)["outlierDetection"][gone]
    assert read(found) == {**before, **terms}


def test_a_rule_without_a_budget_lets_any_number_of_retries_through() -> None:
    found = trees(SHARE)
    del policy(found)["retryBudget"]["minRetryConcurrency"]
    assert read(found)["budget"] is None
    del policy(found)["retryBudget"]
    assert read(found)["budget"] is None


def test_a_mesh_that_must_not_retry_says_so() -> None:
    once = SHARE.only(frozenset({"breaker", "timeout"}))
    assert route(trees(once))["retries"] == {"attempts": 0}
    assert reading(ISTIO, once)["attempts"] == 1


def test_all_other_operations_go_to_the_host_as_before() -> None:
    found = trees(SHARE)["istio/payment-charge-card.virtual-service.yaml"]["spec"]["http"]
    assert found[1:] == [{"name": "as-before", "route": [{"destination": {"host": "payment"}}]}]


def test_a_call_that_may_not_have_its_effect_twice_is_tried_again_where_it_had_none() -> None:
    careful = trees(call(retry=replace(RETRY, on=("unreached",))))
    assert route(careful)["retries"]["retryOn"] == "connect-failure,refused-stream"


@pytest.mark.parametrize(
    ("hosts", "rate", "percent"),
    [(1, 200, 100), (2, 200, 50), (3, 200, 34), (3, 290, 34), (4, 100, 50), (10, 30, 90), (200, 1, 99)],
)
def test_neither_every_host_nor_none_can_be_ejected(hosts: int, rate: float, percent: int) -> None:
    known = replace(KNOWN, hosts=hosts, rate=rate)
    found = policy(trees(call(known=known)))["outlierDetection"]["maxEjectionPercent"]
    assert found == percent
    # Envoy ejects one more host if the share that is out by then does not exceed it.
    out = sum(100 * number / hosts <= found for number in range(1, hosts + 1))
    assert out == 1 if hosts == 1 else 1 <= out < hosts


def test_connections_are_not_bounded_since_a_call_more_would_wait_for_one() -> None:
    found = trees(SHARE)
    assert policy(found)["connectionPool"] == {"http": {"http1MaxPendingRequests": 13, "http2MaxRequests": 13}}
    policy(found)["connectionPool"]["tcp"] = {"maxConnections": 5}
    assert read(found)["concurrent"] == 5


@pytest.mark.parametrize(("error_rate", "number"), [(0, 3), (0.0001, 3), (0.002, 4), (0.1, 10), (0.5, 30), (1, 100)])
def test_the_worse_a_healthy_host_is_the_longer_a_run_of_failures_has_to_be(error_rate: float, number: int) -> None:
    found = policy(trees(call(known=replace(KNOWN, error_rate=error_rate))))["outlierDetection"]
    assert found["consecutive5xxErrors"] == number


def test_what_istio_cannot_say_is_told_with_what_stands_instead() -> None:
    assert [(unsaid.terms, unsaid.nearest, unsaid.grave) for unsaid in ISTIO.unsaid(call())] == snapshot(
        [
            ((), "Calls of other operations count too, and are refused too.", False),
            (("longest_wait",), "Ten times the first wait.", False),
            (("budget",), "Retries are 20% of what is under way, or one.", False),
            (
                ("window", "size", "minimum_calls", "failure_ratio"),
                "4 in a row, which a host that is well has less than once a year; at most 1 of 3 hosts.",
                True,
            ),
            (("open_for",), "5s the first time, as much more each further time, up to 300 s.", False),
            (("probes",), "No probes: the first failures in a row eject it again.", True),
        ]
    )


def test_a_rule_of_another_host_is_refused() -> None:
    found = trees(SHARE)
    found["istio/payment-charge-card.destination-rule.yaml"]["spec"]["host"] = "ledger"
    with pytest.raises(ValueError, match="the rule is of ledger"):
        read(found)


def test_a_panic_that_sends_calls_to_hosts_that_are_out_is_no_breaker() -> None:
    found = trees(SHARE)
    policy(found)["outlierDetection"]["minHealthPercent"] = 80
    assert read(found)["open_for"] is None
    assert "breaker" not in read(found)["layers"]


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("retries", "attempts"), -1),
        (("retries", "attempts"), 0),  # with a timeout of a try
        (("retries", "perTryTimeout"), "0s"),
        (("retries", "perTryTimeout"), "0.0005s"),
        (("retries", "perTryTimeout"), 5),
        (("retries", "retryOn"), "sometimes"),
        (("retries", "perTryTimeOut"), "1s"),
        (("timeout",), "soon"),
    ],
)
def test_what_istio_refuses_of_a_route_the_schema_refuses(place: tuple[str, ...], value: Any) -> None:
    found = trees(SHARE)
    inner = route(found)
    for part in place[:-1]:
        inner = inner[part]
    inner[place[-1]] = value
    assert refused(found)


@pytest.mark.parametrize(
    ("part", "key", "value"),
    [
        ("outlierDetection", "maxEjectionPercent", 101),
        ("outlierDetection", "consecutive5xxErrors", -1),
        ("outlierDetection", "consecutiveErrors5xx", 1),
        ("outlierDetection", "interval", "10"),
        ("retryBudget", "percent", 101),
        ("connectionPool", "http", {"http2MaxRequests": 1.5}),
    ],
)
def test_what_istio_refuses_of_a_rule_the_schema_refuses(part: str, key: str, value: Any) -> None:
    found = trees(SHARE)
    policy(found)[part][key] = value
    assert refused(found)


def test_a_kind_that_nobody_knows_is_refused() -> None:
    found = trees(SHARE)
    found["istio/payment-charge-card.destination-rule.yaml"]["kind"] = "DestinationRules"
    assert refused(found)


def refused(found: dict[str, Any]) -> bool:
    changed = [
        artifact.model_copy(update={"text": yaml.safe_dump(copy.deepcopy(found[artifact.path]))})
        for artifact in ISTIO.says(SHARE)
    ]
    (check,) = ISTIO.checks(SHARE, tuple(changed))
    return check.status is Status.FAILED


def test_digits_that_istio_does_not_take_are_rounded_and_told() -> None:
    fine = call(timeout=replace(call().timeout, per_try=0.12345))
    assert reading(ISTIO, fine)["per_try"] == 0.123
    assert "per_try" in told(ISTIO, fine)


@pytest.mark.parametrize(
    ("dependency", "host"),
    [("Payment_Service", "payment-service"), ("pay.shop.svc.cluster.local", "pay.shop.svc.cluster.local"), ("P.", "p")],
)
def test_any_dependency_is_a_host(dependency: str, host: str) -> None:
    named = replace(SHARE, dependency=dependency)
    assert route(trees_of(named))["route"] == [{"destination": {"host": host}}]
    assert ISTIO.checks(named, ISTIO.says(named))[0].status is Status.PASSED
    assert wrong(ISTIO, named) == []


def trees_of(plan: CallPlan) -> dict[str, Any]:
    """The same under the names of the sample."""
    return dict(zip(trees(SHARE), trees(plan).values(), strict=True))
