"""Consul's entries: they mean the plan, also by what they leave out."""

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
from tests.breaker.plans import RETRY, call

CONSUL = dialect("consul")
SHARE = call().only(CONSUL.parts)
ROUTER, DEFAULTS = "consul/payment-charge-card.service-router.yaml", "consul/payment-charge-card.service-defaults.yaml"


def trees(plan: CallPlan) -> dict[str, Any]:
    return {path: yaml.safe_load(text) for path, text in texts(CONSUL, plan).items()}


def read(found: dict[str, Any]) -> Any:
    return CONSUL.read({path: yaml.safe_dump(tree) for path, tree in found.items()})


def destination(found: dict[str, Any]) -> Any:
    return found[ROUTER]["spec"]["routes"][0]["destination"]


def upstream(found: dict[str, Any]) -> Any:
    return found[DEFAULTS]["spec"]["upstreamConfig"]["overrides"][0]


def test_the_objects_of_the_sample() -> None:
    assert "".join(f"## {path}\n{text}" for path, text in texts(CONSUL, SHARE).items()) == snapshot("""\
## consul/payment-charge-card.service-router.yaml
# How one operation is tried. It is found by its path, as gRPC has it: over plain HTTP write your own match.
# The protocol in the ServiceDefaults of that service has to be http, http2 or grpc.
apiVersion: consul.hashicorp.com/v1alpha1
kind: ServiceRouter
metadata:
  name: payment
spec:
  routes:
  - match:
      http:
        pathRegex: .*/ChargeCard
    destination:
      service: payment
      # Of all tries together; there is none of a single one.
      requestTimeout: 2s
      # The first try isn't counted.
      numRetries: 1
      retryOn:
      - connect-failure
      - refused-stream
      - unavailable
      - reset
      - deadline-exceeded
      retryOnStatusCodes:
      - 503
      - 504
## consul/payment-charge-card.service-defaults.yaml
# What the caller's proxy does for all that it calls there: how many calls are under way, when an instance is left out.
# Merge it into the ServiceDefaults of the caller, if there are any.
apiVersion: consul.hashicorp.com/v1alpha1
kind: ServiceDefaults
metadata:
  name: checkout
spec:
  upstreamConfig:
    overrides:
    - name: payment
      limits:
        maxConnections: 4294967295
        maxPendingRequests: 13
        maxConcurrentRequests: 13
      passiveHealthCheck:
        maxFailures: 4
        enforcingConsecutive5xx: 100
        # How often it is looked who may come back.
        interval: 0.5s
        baseEjectionTime: 5s
        # So that at most 1 of 3 hosts can be out at once.
        maxEjectionPercent: 34
""")


@given(shares())
@settings(deadline=None)
def test_the_objects_mean_the_plan(plan: CallPlan) -> None:
    assert wrong(CONSUL, plan) == []


@given(shares())
@settings(deadline=None)
def test_the_schema_takes_whatever_is_spelled(plan: CallPlan) -> None:
    (found,) = CONSUL.checks(plan, CONSUL.says(plan))
    assert (found.status, found.detail) == (Status.PASSED, "payment-charge-card: ServiceRouter, ServiceDefaults")


def test_no_figure_can_change_unseen() -> None:
    # How many hosts there are isn't in the files: what part of them may be out is held by a test of its own. A bound on
    # connections is seen where it is below the one on calls. 503 and 504 besides what gRPC says of the same.
    found = unseen(trees(SHARE), read)
    assert {path[-1] for path in found} == {"maxEjectionPercent", "maxConnections", 0, 1}
    assert len(list(figures(trees(SHARE)))) == 12


@pytest.mark.parametrize(
    ("gone", "terms"),
    [
        ("requestTimeout", {"overall": 15, "per_try": 15}),
        ("numRetries", {}),  # once, as Envoy has it
        ("retryOn", {"retried_on": ("timeout", "unavailable")}),
        ("retryOnStatusCodes", {}),
    ],
)
def test_what_a_route_leaves_out_is_read_as_consul_has_it(gone: str, terms: dict[str, Any]) -> None:
    found = trees(SHARE)
    before = read(found)
    del destination(found)[gone]
    assert read(found) == {**before, **terms}


@pytest.mark.parametrize(
    ("part", "gone", "terms"),
    [
        ("limits", "maxConcurrentRequests", {}),  # as many may be pending
        ("passiveHealthCheck", "maxFailures", {"size": 5, "minimum_calls": 5}),
        ("passiveHealthCheck", "baseEjectionTime", {"open_for": 30}),
        ("passiveHealthCheck", "interval", {"open_for": 15}),
        ("passiveHealthCheck", "enforcingConsecutive5xx", {}),
    ],
)
def test_what_an_upstream_leaves_out_is_read_as_consul_has_it(part: str, gone: str, terms: dict[str, Any]) -> None:
    found = trees(SHARE)
    before = read(found)
    del upstream(found)[part][gone]
    assert read(found) == {**before, **terms}


def test_without_limits_envoys_own_hold() -> None:
    found = trees(SHARE)
    del upstream(found)["limits"]
    assert read(found)["concurrent"] == 1024
    assert reading(CONSUL, SHARE.only(frozenset({"retry"})))["concurrent"] is None


def test_a_bound_on_connections_bounds_the_calls() -> None:
    found = trees(SHARE)
    upstream(found)["limits"]["maxConnections"] = 5
    assert read(found)["concurrent"] == 5


def test_consul_ejects_hosts_where_nothing_is_said_of_it() -> None:
    found = trees(SHARE)
    del upstream(found)["passiveHealthCheck"]
    assert (read(found)["size"], read(found)["open_for"]) == (5, 40)
    without = SHARE.only(frozenset({"retry"}))
    assert upstream(trees(without))["passiveHealthCheck"] == {"enforcingConsecutive5xx": 0}
    assert reading(CONSUL, without)["window"] is None


def test_ejection_by_chance_is_noticed() -> None:
    found = trees(SHARE)
    upstream(found)["passiveHealthCheck"]["enforcingConsecutive5xx"] = 50
    with pytest.raises(ValueError, match="by chance"):
        read(found)


def test_what_holds_for_all_upstreams_holds_where_none_is_named() -> None:
    found = trees(SHARE)
    config = found[DEFAULTS]["spec"]["upstreamConfig"]
    (one,) = config.pop("overrides")
    config["defaults"] = {key: value for key, value in one.items() if key != "name"}
    assert read(found) == reading(CONSUL, SHARE)


def test_without_a_timeout_envoys_own_is_off() -> None:
    assert destination(trees(SHARE.only(frozenset({"retry"}))))["requestTimeout"] == "-1s"


def test_a_route_without_retries_says_nothing_of_them() -> None:
    once = trees(SHARE.only(frozenset({"timeout"})))
    assert destination(once) == {"service": "payment", "requestTimeout": "0.9s"}
    assert read(once)["attempts"] == 1


def test_a_call_that_may_not_have_its_effect_twice_is_tried_again_where_it_had_none() -> None:
    careful = destination(trees(call(retry=replace(RETRY, on=("unreached",)))))
    assert careful["retryOn"] == ["connect-failure", "refused-stream"]
    assert "retryOnStatusCodes" not in careful


def test_what_consul_cannot_say_is_told_with_what_stands_instead() -> None:
    assert [(unsaid.terms, unsaid.nearest, unsaid.grave) for unsaid in CONSUL.unsaid(call())] == snapshot(
        [
            (("first_wait",), "Up to 25 ms.", False),
            (("longest_wait",), "Up to 250 ms.", False),
            (("budget",), "Envoy lets 3 retries be under way at once, for all calls.", True),
            (("per_try", "retried_on"), "2s, and another try where a connection is reset or 504 is answered.", False),
            ((), "Calls of other operations count too, and are refused too.", False),
            (
                ("window", "size", "minimum_calls", "failure_ratio"),
                "4 in a row, which a host that is well has less than once a year; at most 1 of 3 hosts.",
                True,
            ),
            (("open_for",), "5s the first time, as much more each further time, up to 300 s.", False),
            (("probes",), "No probes: the first failures in a row eject it again.", True),
        ]
    )


def test_what_is_told_of_the_waits_is_read() -> None:
    found = reading(CONSUL, SHARE)
    assert [found[term] for term in ("first_wait", "factor", "longest_wait", "jitter", "budget")] == [
        0.025, 2, 0.25, "full", None,
    ]  # fmt: skip
    assert "first_wait" in told(CONSUL, SHARE)
    same = call(retry=replace(RETRY, first_wait=0.025, longest_wait=0.25))
    assert not {"first_wait", "longest_wait"} & told(CONSUL, same)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("requestTimeout", "0s"),
        ("requestTimeout", 2),
        ("requestTimeout", "-2"),
        ("numRetries", -1),
        ("retryOn", ["sometimes"]),
        ("retryOnStatusCodes", [42]),
        ("perTryTimeout", "1s"),
    ],
)
def test_what_consul_does_not_take_of_a_route_the_schema_refuses(key: str, value: Any) -> None:
    found = trees(SHARE)
    destination(found)[key] = value
    assert refused(found)


@pytest.mark.parametrize(
    ("part", "key", "value"),
    [
        ("passiveHealthCheck", "maxEjectionPercent", 101),
        ("passiveHealthCheck", "maxEjectionTime", "5s"),
        ("passiveHealthCheck", "interval", "often"),
        ("limits", "maxRequests", 5),
        ("limits", "maxConnections", -1),
    ],
)
def test_what_consul_does_not_take_of_an_upstream_the_schema_refuses(part: str, key: str, value: Any) -> None:
    found = trees(SHARE)
    upstream(found)[part][key] = value
    assert refused(found)


def test_a_router_of_all_paths_is_of_no_operation() -> None:
    found = trees(SHARE)
    del found[ROUTER]["spec"]["routes"][0]["match"]
    with pytest.raises(ValueError, match="no route has a match"):
        read(found)


def refused(found: dict[str, Any]) -> bool:
    changed = [
        artifact.model_copy(update={"text": yaml.safe_dump(found[artifact.path])}) for artifact in CONSUL.says(SHARE)
    ]
    (check,) = CONSUL.checks(SHARE, tuple(changed))
    return check.status is Status.FAILED
