"""The gRPC service config: it means the plan, a real channel takes it, and does what it says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import grpc
import pytest
from hypothesis import given, settings
from inline_snapshot import snapshot

from halfopen.vocabulary import Status
from halfopen_generators.breaker.dialects import dialect
from halfopen_generators.breaker.plan import CallPlan, HedgePlan, TimeoutPlan
from tests.breaker.dialects.meshes.spelled import figures, reading, shares, texts, told, unseen, wrong
from tests.breaker.plans import RETRY, call

GRPC = dialect("grpc")
HEDGED = call(retry=None, breaker=None, bulkhead=None, hedge=HedgePlan(0.3))
SHARE = call().only(GRPC.parts)


def config(plan: CallPlan) -> Any:
    (text,) = texts(GRPC, plan).values()
    return json.loads(text)


def read(tree: Any) -> Any:
    return GRPC.read({"grpc/it.service-config.json": json.dumps(tree)})


def test_the_config_of_the_sample() -> None:
    assert texts(GRPC, SHARE) == snapshot(
        {
            "grpc/payment-charge-card.service-config.json": """\
{
  "methodConfig": [
    {
      "name": [
        {
          "service": "payment",
          "method": "ChargeCard"
        }
      ],
      "timeout": "2s",
      "retryPolicy": {
        "maxAttempts": 2,
        "initialBackoff": "0.100000000s",
        "maxBackoff": "0.100000000s",
        "backoffMultiplier": 2,
        "retryableStatusCodes": [
          "UNAVAILABLE",
          "DEADLINE_EXCEEDED"
        ]
      }
    }
  ],
  "retryThrottling": {
    "maxTokens": 28,
    "tokenRatio": 0.2
  }
}
"""
        }
    )


@given(shares())
@settings(deadline=None)
def test_the_config_means_the_plan(plan: CallPlan) -> None:
    assert wrong(GRPC, plan) == []


@pytest.mark.parametrize("plan", [SHARE, HEDGED], ids=["retry", "hedge"])
def test_no_figure_can_change_unseen(plan: CallPlan) -> None:
    # How many tokens there are says how long a burst may be, which no term of a policy is.
    assert unseen(config(plan), read) <= {("retryThrottling", "maxTokens")}
    assert len(list(figures(config(plan)))) > 2


@pytest.mark.parametrize(
    ("gone", "terms"),
    [
        ("timeout", {"overall": None, "layers": ("retry",)}),
        ("retryPolicy", {"attempts": 1, "first_wait": None, "factor": None, "longest_wait": None, "jitter": None,
                         "budget": None, "retried_on": (), "per_try": 2, "layers": ("timeout",)}),
    ],
)  # fmt: skip
def test_what_is_left_out_is_read_as_gRPC_has_it_by_default(gone: str, terms: dict[str, Any]) -> None:  # noqa: N802
    tree = config(SHARE)
    before = read(tree)
    del tree["methodConfig"][0][gone]
    assert read(tree) == {**before, **terms}


def test_a_method_of_its_own_goes_before_what_holds_for_the_whole_service() -> None:
    tree = config(SHARE)
    tree["methodConfig"].insert(0, {"name": [{"service": "payment"}], "timeout": "9s"})
    tree["methodConfig"].append({"name": [{}], "timeout": "8s"})
    assert read(tree) == reading(GRPC, SHARE)


def test_what_a_config_cannot_say_is_told_with_what_stands_instead() -> None:
    assert [(unsaid.terms, unsaid.nearest, unsaid.grave) for unsaid in GRPC.unsaid(call())] == snapshot(
        [
            ((), "That name: write package and service in its place, or the config applies to nothing.", False),
            (("jitter",), "Each wait is its length, a fifth more or less (A6).", False),
            (
                ("per_try", "retried_on"),
                "2s for all tries together, and another try where the server itself says DEADLINE_EXCEEDED.",
                False,
            ),
            (
                ("window", "size", "minimum_calls", "failure_ratio", "slow_ratio", "slow_after", "open_for", "probes"),
                "Nothing stands in its place.",
                True,
            ),
            (("concurrent",), "Nothing stands in its place.", True),
            (("layers",), "Outermost first: timeout, retry.", False),
        ]
    )


def test_a_call_that_may_not_have_its_effect_twice_is_repeated_transparently_alone() -> None:
    careful = call(retry=replace(RETRY, on=("unreached",)))
    assert "retryPolicy" not in config(careful)["methodConfig"][0]
    assert {"attempts", "retried_on"} <= told(GRPC, careful)


def test_more_tries_than_a_client_makes_are_not_promised() -> None:
    eager = call(retry=replace(RETRY, attempts=9))
    assert reading(GRPC, eager)["attempts"] == 5
    assert "attempts" in told(GRPC, eager)


def test_the_only_try_is_ended_by_the_deadline() -> None:
    once = call(retry=None)
    assert config(once)["methodConfig"][0]["timeout"] == "0.900000000s"
    assert {"per_try", "overall"} <= told(GRPC, once)
    alone = call().only(frozenset({"timeout"}))
    assert config(alone) == config(once)
    assert not {"per_try", "overall"} & told(GRPC, alone)


@pytest.mark.parametrize("plan", [call(), HEDGED, call(retry=replace(RETRY, attempts=9, budget=0.0001))])
def test_a_real_channel_takes_the_config(plan: CallPlan) -> None:
    (found,) = GRPC.checks(plan, GRPC.says(plan))
    assert (found.status, found.detail) == (Status.PASSED, "payment/ChargeCard")


def test_a_config_that_no_channel_takes_fails() -> None:
    (artifact,) = GRPC.says(call())
    broken = artifact.model_copy(update={"text": artifact.text.replace('"0.100000000s"', '"0s"')})
    (found,) = GRPC.checks(call(), (broken,))
    assert (found.status, "must be greater than 0" in found.detail) == (Status.FAILED, True)


@dataclass
class Server:
    """Fails as often as it is told, and counts."""

    failures: int
    code: grpc.StatusCode = grpc.StatusCode.UNAVAILABLE
    seen: list[str] = field(default_factory=list)

    def handle(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        self.seen.append(request.decode())
        if len(self.seen) <= self.failures:
            context.abort(self.code, "not now")
        return b"charged"


@contextmanager
def channel(plan: CallPlan, server: Server) -> Iterator[grpc.Channel]:
    """A channel that has nothing but the config of the plan, to that server."""
    handlers = {
        name: grpc.unary_unary_rpc_method_handler(server.handle, bytes, bytes) for name in ("ChargeCard", "Refund")
    }
    running = grpc.server(ThreadPoolExecutor(2))
    running.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("payment", handlers)])
    port = running.add_insecure_port("127.0.0.1:0")
    running.start()
    (text,) = texts(GRPC, plan).values()
    try:
        with grpc.insecure_channel(f"127.0.0.1:{port}", [("grpc.service_config", text)]) as found:
            yield found
    finally:
        running.stop(None).wait()


def asked(plan: CallPlan, server: Server, method: str = "ChargeCard") -> bytes | grpc.StatusCode:
    with channel(plan, server) as open_channel:
        try:
            answer: bytes = open_channel.unary_unary(f"/payment/{method}")(b"7")
        except grpc.RpcError as error:
            return error.code()
        return answer


PATIENT = call(timeout=TimeoutPlan(20, 20), retry=replace(RETRY, attempts=3, first_wait=0.01))


@pytest.mark.parametrize("code", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED])
def test_a_failure_is_tried_again_as_often_as_it_was_designed(code: grpc.StatusCode) -> None:
    server = Server(2, code)
    assert asked(PATIENT, server) == b"charged"
    assert server.seen == ["7", "7", "7"]
    assert asked(PATIENT, server := Server(3, code)) == code
    assert len(server.seen) == 3


def test_what_was_designed_without_retries_is_not_tried_again() -> None:
    server = Server(1)
    assert asked(replace(PATIENT, retry=None), server) == grpc.StatusCode.UNAVAILABLE
    assert len(server.seen) == 1


@pytest.mark.parametrize("code", [grpc.StatusCode.INTERNAL, grpc.StatusCode.FAILED_PRECONDITION])
def test_a_failure_that_was_not_designed_for_is_not_tried_again(code: grpc.StatusCode) -> None:
    server = Server(1, code)
    assert asked(PATIENT, server) == code
    assert len(server.seen) == 1


def test_no_other_method_of_the_service_is_retried_by_it() -> None:
    server = Server(1)
    assert asked(PATIENT, server, "Refund") == grpc.StatusCode.UNAVAILABLE
    assert len(server.seen) == 1


def test_the_budget_ends_retries_where_everything_fails() -> None:
    server = Server(1_000)
    with channel(PATIENT, server) as open_channel:
        for _ in range(60):
            with pytest.raises(grpc.RpcError):
                open_channel.unary_unary("/payment/ChargeCard")(b"7")
    tokens = config(PATIENT)["retryThrottling"]["maxTokens"]
    # A failure that empties the first half is told at once; each before it may have been tried again.
    assert 60 < len(server.seen) <= 60 + tokens // 2
