"""Linkerd's routes and annotations: they mean the plan, also by what they leave out."""

from __future__ import annotations

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
from tests.breaker.plans import RETRY, TIMEOUT, call

LINKERD = dialect("linkerd")
SHARE = call().only(LINKERD.parts)
ROUTES, PATCH = "linkerd/payment-charge-card.http-routes.yaml", "linkerd/payment-charge-card.service-patch.yaml"


def trees(plan: CallPlan) -> dict[str, Any]:
    return {path: list(yaml.safe_load_all(text)) for path, text in texts(LINKERD, plan).items()}


def read(found: dict[str, Any]) -> Any:
    return LINKERD.read({path: yaml.safe_dump_all(each) for path, each in found.items()})


def route(found: dict[str, Any]) -> Any:
    return found[ROUTES][0]["metadata"]["annotations"]


def service(found: dict[str, Any]) -> Any:
    return found[PATCH][0]["metadata"]["annotations"]


def test_the_objects_of_the_sample() -> None:
    assert "".join(f"## {path}\n{text}" for path, text in texts(LINKERD, SHARE).items()) == snapshot("""\
## linkerd/payment-charge-card.http-routes.yaml
# How one operation is tried. It is found by its path, as gRPC has it: over plain HTTP write your own match.
# The second route is for all else, which without it would find none. No ServiceProfile may be there for the Service.
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: payment-charge-card
  annotations:
    timeout.linkerd.io/request: 2s
    # The first try isn't counted.
    retry.linkerd.io/limit: '1'
    retry.linkerd.io/http: 503,504
    # Ends a try, if there may be another; timeout.linkerd.io/response would end the call.
    retry.linkerd.io/timeout: 900ms
spec:
  parentRefs:
  - group: core
    kind: Service
    name: payment
  rules:
  - matches:
    - path:
        type: RegularExpression
        value: .*/ChargeCard
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: payment-as-before
spec:
  parentRefs:
  - group: core
    kind: Service
    name: payment
  rules:
  - matches:
    - path:
        type: PathPrefix
        value: /
## linkerd/payment-charge-card.service-patch.yaml
# A patch of the Service: when an endpoint of it is left out, whatever is called there.
# kubectl patch service NAME --patch-file FILE
apiVersion: v1
kind: Service
metadata:
  name: payment
  annotations:
    balancer.linkerd.io/failure-accrual: consecutive
    balancer.linkerd.io/failure-accrual-consecutive-max-failures: '4'
    # As long each time: left out, it would be 1 s and grow to a minute, and up to half as long again.
    balancer.linkerd.io/failure-accrual-consecutive-min-penalty: 5s
    balancer.linkerd.io/failure-accrual-consecutive-max-penalty: 5s
    balancer.linkerd.io/failure-accrual-consecutive-jitter-ratio: '0.0'
""")


@given(shares())
@settings(deadline=None)
def test_the_objects_mean_the_plan(plan: CallPlan) -> None:
    assert wrong(LINKERD, plan) == []


@given(shares())
@settings(deadline=None)
def test_the_schema_takes_whatever_is_spelled(plan: CallPlan) -> None:
    (found,) = LINKERD.checks(plan, LINKERD.says(plan))
    assert found.status is Status.PASSED, found.detail


@pytest.mark.parametrize("plan", [SHARE, call(retry=replace(RETRY, on=("unreached", "unavailable")))])
def test_no_figure_can_change_unseen(plan: CallPlan) -> None:
    assert unseen(trees(plan), read) == set()
    assert len(list(figures(trees(plan)))) >= 7


@pytest.mark.parametrize(
    ("gone", "terms"),
    [
        ("retry.linkerd.io/limit", {}),  # once, as it is by default
        ("retry.linkerd.io/http", {"retried_on": ("timeout",)}),
        ("retry.linkerd.io/timeout", {"per_try": 2}),
        ("timeout.linkerd.io/request", {"overall": None}),
    ],
)
def test_what_a_route_leaves_out_is_read_as_linkerd_has_it(gone: str, terms: dict[str, Any]) -> None:
    found = trees(SHARE)
    before = read(found)
    del route(found)[gone]
    assert read(found) == {**before, **terms}


@pytest.mark.parametrize(
    ("gone", "terms"),
    [
        ("-consecutive-max-failures", {"size": 7, "minimum_calls": 7}),
        ("-consecutive-jitter-ratio", {"open_for": 7.5}),
        ("-consecutive-max-penalty", {}),
        ("-consecutive-min-penalty", {"open_for": 1}),
    ],
)
def test_what_the_service_leaves_out_is_read_as_linkerd_has_it(gone: str, terms: dict[str, Any]) -> None:
    found = trees(SHARE)
    before = read(found)
    del service(found)[f"balancer.linkerd.io/failure-accrual{gone}"]
    assert read(found) == {**before, **terms}


def test_without_its_mode_failure_accrual_is_off() -> None:
    found = trees(SHARE)
    del service(found)["balancer.linkerd.io/failure-accrual"]
    assert read(found)["window"] is None
    assert trees(SHARE.only(frozenset({"retry"}))).keys() == {ROUTES}


def test_a_limit_of_nothing_is_none_that_is_given() -> None:
    found = trees(SHARE)
    route(found)["retry.linkerd.io/limit"] = "0"
    assert read(found)["attempts"] == 2
    for key in ("http", "timeout"):
        del route(found)[f"retry.linkerd.io/{key}"]
    assert read(found)["attempts"] == 1


def test_a_route_without_retries_says_nothing_of_them() -> None:
    once = call(retry=None)
    assert route(trees(once)) == {"timeout.linkerd.io/request": "2s", "timeout.linkerd.io/response": "900ms"}


def test_a_try_is_ended_by_what_lets_another_follow_only_where_one_may() -> None:
    careful = route(trees(call(retry=replace(RETRY, on=("unreached", "unavailable")))))
    assert careful["timeout.linkerd.io/response"] == "900ms"
    assert "retry.linkerd.io/timeout" not in careful
    assert "timeout.linkerd.io/response" not in route(trees(SHARE))


def test_a_call_that_may_not_have_its_effect_twice_is_not_tried_again() -> None:
    careful = call(retry=replace(RETRY, on=("unreached",)))
    assert reading(LINKERD, careful)["attempts"] == 1
    assert "attempts" in told(LINKERD, careful)


def test_what_linkerd_cannot_say_is_told_with_what_stands_instead() -> None:
    assert [(unsaid.terms, unsaid.nearest, unsaid.grave) for unsaid in LINKERD.unsaid(call())] == snapshot(
        [
            (
                ("first_wait", "factor", "longest_wait", "jitter"),
                "From 25 to 50 ms at first, twice as long each time, from 250 to 500 ms at last.",
                False,
            ),
            (("budget",), "1 for each call.", True),
            (("retried_on",), "Its balancer asks only endpoints that it has a connection to.", False),
            ((), "The one of the call ends it.", False),
            ((), "Make the first a GRPCRoute there, with retry.linkerd.io/grpc: unavailable.", False),
            ((), "Calls of other operations count too, and are refused too.", False),
            ((), "If all are, calls fail at once, which is an open breaker.", False),
            (
                ("window", "size", "minimum_calls", "failure_ratio"),
                "4 in a row, which a host that is well has less than once a year.",
                True,
            ),
            (("probes",), "One call of each endpoint.", False),
            (("concurrent",), "Nothing stands in its place.", True),
            (("layers",), "Outermost first: retry, breaker, timeout.", False),
        ]
    )


def test_what_is_told_of_the_waits_is_read() -> None:
    found = reading(LINKERD, SHARE)
    assert [found[term] for term in ("first_wait", "factor", "longest_wait", "jitter", "budget", "retried_on")] == [
        0.05, 2, 0.5, "from a half of it", None, ("timeout", "unavailable"),
    ]  # fmt: skip


@pytest.mark.parametrize("value", ["0.9s", "5", "-1s", "1w"])
def test_a_duration_that_no_annotation_can_have_is_refused(value: str) -> None:
    found = trees(SHARE)
    route(found)["timeout.linkerd.io/request"] = value
    assert refused(found)
    with pytest.raises(ValueError, match="is no duration"):
        read(found)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("retry.linkerd.io/http", "503,reset"),
        ("retry.linkerd.io/limit", "0"),
        ("retry.linkerd.io/limit", 1),
        ("retry.linkerd.io/grpc", "unavailable"),
        ("retries.linkerd.io/limit", "1"),
    ],
)
def test_what_linkerd_does_not_take_of_a_route_the_schema_refuses(key: str, value: Any) -> None:
    found = trees(SHARE)
    route(found)[key] = value
    assert refused(found)


def test_what_linkerd_does_not_take_of_a_service_is_refused() -> None:
    found = trees(SHARE)
    service(found)["balancer.linkerd.io/failure-accrual"] = "sometimes"
    assert refused(found)
    with pytest.raises(ValueError, match="no mode"):
        read(found)
    found = trees(SHARE)
    service(found)["balancer.linkerd.io/failure-accrual-consecutive-max-penalty"] = "1s"
    with pytest.raises(ValueError, match="penalty of 5 s"):
        read(found)


def test_routes_of_all_paths_are_of_no_operation() -> None:
    found = trees(SHARE)
    del found[ROUTES][0]
    with pytest.raises(ValueError, match="no HTTPRoute"):
        read(found)


def test_a_long_timeout_is_a_whole_number_of_its_unit() -> None:
    long = call(timeout=replace(TIMEOUT, overall=120.001))
    assert route(trees(long))["timeout.linkerd.io/request"] == "120001ms"


def refused(found: dict[str, Any]) -> bool:
    changed = [
        artifact.model_copy(update={"text": yaml.safe_dump_all(found[artifact.path])})
        for artifact in LINKERD.says(SHARE)
    ]
    (check,) = LINKERD.checks(SHARE, tuple(changed))
    return check.status is Status.FAILED
