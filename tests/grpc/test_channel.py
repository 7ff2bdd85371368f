"""What the design promises happens on a real channel: a server and a client over the compiled package."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from halfopen.checkers import channel, programs
from halfopen.vocabulary import Status
from halfopen_generators.grpc.plan import PROTO_ROOT
from tests.grpc.designs import answered, text

SPEC = """
package: acme.orders.v1
services:
  OrderService:
    GetOrder: {request: {order_id: string}, response: {status: string}, deadline: 20s, idempotency: no-side-effects}
    PlaceOrder: {request: {order_id: string}, response: {status: string}, deadline: 20s, idempotency: idempotent}
    ChargeCard: {request: {order_id: string}, response: {status: string}, deadline: 20s, idempotency: non-idempotent}
    ShipOrder: {request: {order_id: string}, response: {status: string}, deadline: 20s}
    SlowOrder: {request: {order_id: string}, response: {status: string}, deadline: 200ms, idempotency: idempotent}
"""
Handler = Callable[[Any, grpc.ServicerContext], Any]


@dataclass
class Api:
    """The package as classes, and a client whose channel has nothing but the service config."""

    pool: descriptor_pool.DescriptorPool
    channel: grpc.Channel
    calls: dict[str, int] = field(default_factory=dict)

    def message(self, name: str) -> Any:
        return message_factory.GetMessageClass(self.pool.FindMessageTypeByName(f"acme.orders.v1.{name}"))

    def call(self, rpc: str) -> Any:
        request, response = self.message(f"{rpc}Request"), self.message(f"{rpc}Response")
        stub = self.channel.unary_unary(
            f"/acme.orders.v1.OrderService/{rpc}", request.SerializeToString, response.FromString
        )
        return stub(request(order_id="7"))


@contextmanager
def serving(behaviour: Callable[[str, int, grpc.ServicerContext], str]) -> Iterator[Api]:
    """A server that answers with what the behaviour says of the rpc and of how often it was called before."""
    found = answered(SPEC)
    proto = {artifact.path: artifact.text for artifact in found.artifacts if artifact.path.endswith(".proto")}
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(programs.descriptor_set(PROTO_ROOT, proto)).file:
        pool.Add(file)
    server = grpc.server(ThreadPoolExecutor(4))
    port = server.add_insecure_port("127.0.0.1:0")
    # Health is asked of a service that isn't there, which counts as healthy.
    options = [("grpc.service_config", text(found, "service-config.json"))]
    with grpc.insecure_channel(f"127.0.0.1:{port}", options) as channel:
        api = Api(pool, channel)

        def handler(rpc: str) -> grpc.RpcMethodHandler:
            def handle(request: Any, context: grpc.ServicerContext) -> Any:
                assert request.order_id == "7"
                api.calls[rpc] = api.calls.get(rpc, 0) + 1
                return api.message(f"{rpc}Response")(status=behaviour(rpc, api.calls[rpc], context))

            return grpc.unary_unary_rpc_method_handler(
                handle, api.message(f"{rpc}Request").FromString, lambda message: message.SerializeToString()
            )

        service = pool.FindServiceByName("acme.orders.v1.OrderService")
        handlers = {method.name: handler(method.name) for method in service.methods}
        server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(service.full_name, handlers)])
        server.start()
        try:
            yield api
        finally:
            server.stop(None).wait()


def fails_twice(rpc: str, call: int, context: grpc.ServicerContext) -> str:
    if call < 3:
        context.abort(grpc.StatusCode.UNAVAILABLE, f"{rpc} is on its way down")
    return "there"


@pytest.mark.parametrize("rpc", ["GetOrder", "PlaceOrder"])
def test_a_call_that_may_be_repeated_is(rpc: str) -> None:
    with serving(fails_twice) as api:
        assert api.call(rpc).status == "there"
        assert api.calls == {rpc: 3}


@pytest.mark.parametrize("rpc", ["ChargeCard", "ShipOrder"])
def test_a_call_that_must_not_be_repeated_is_not(rpc: str) -> None:
    with serving(fails_twice) as api:
        with pytest.raises(grpc.RpcError) as caught:
            api.call(rpc)
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        assert api.calls == {rpc: 1}


@pytest.mark.parametrize("code", [grpc.StatusCode.INTERNAL, grpc.StatusCode.ABORTED, grpc.StatusCode.NOT_FOUND])
def test_a_failure_that_a_second_try_does_not_help_is_told_at_once(code: grpc.StatusCode) -> None:
    with serving(lambda rpc, call, context: context.abort(code, f"{rpc} {call}")) as api:
        with pytest.raises(grpc.RpcError) as caught:
            api.call("GetOrder")
        assert caught.value.code() is code
        assert api.calls == {"GetOrder": 1}


def test_a_caller_who_sets_no_deadline_has_one() -> None:
    over = threading.Event()

    def hangs(rpc: str, call: int, context: grpc.ServicerContext) -> str:
        del context
        over.wait(300)
        return f"{rpc} {call}"

    with serving(hangs) as api:
        with pytest.raises(grpc.RpcError) as caught:
            api.call("SlowOrder")
        over.set()
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


GOOD = json.loads(text(answered(SPEC), "service-config.json"))


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("methodConfig", 0, "timeout"), "2", "timeout error:Not a duration"),
        (("methodConfig", 0, "retryPolicy", "maxAttempts"), 1, "maxAttempts error:must be at least 2"),
        (("methodConfig", 0, "retryPolicy", "initialBackoff"), "0s", "initialBackoff error:must be greater than 0"),
        (("methodConfig", 0, "retryPolicy", "retryableStatusCodes"), ["GONE"], "failed to parse status code"),
        (("methodConfig", 1, "name"), GOOD["methodConfig"][0]["name"], "multiple method configs for path"),
        (("loadBalancingConfig",), [{"by_luck": {}}], "No known policies"),
        (("retryThrottling", "maxTokens"), 0, "maxTokens error:must be greater than 0"),
    ],
)
def test_a_config_that_no_channel_takes_is_seen(path: tuple[str | int, ...], value: Any, said: str) -> None:
    config = json.loads(json.dumps(GOOD))
    place = config
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    found = channel.accepted(json.dumps(config), looked_at="it")
    assert (found.status, said in found.detail) == (Status.FAILED, True), found.detail


def test_a_config_that_a_channel_takes_passes() -> None:
    found = channel.accepted(json.dumps(GOOD), looked_at="it")
    assert (found.status, found.detail) == (Status.PASSED, "it")
    assert channel.accepted("{", looked_at="it").status is Status.FAILED
