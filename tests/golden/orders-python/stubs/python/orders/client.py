"""Calls acme.orders.v1 as designed: retries, load balancing and health checking are the channel's own.

Deadlines are set on each call, so that the server hears of them. Errors are
`grpc.aio.AioRpcError`; `errors.failure` takes one apart. A `timeout` can only make
a call shorter than its designed deadline.
"""

from __future__ import annotations

import copy
import uuid
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import grpc

from . import deadlines, streams, tracing
from .pb.acme.orders.v1 import orders_pb2 as pb

OPTIONS = (
    (
        "grpc.service_config",
        Path(__file__).with_name("service_config.json").read_text("utf-8"),
    ),
    # Finds a server that is gone without a word. Servers refuse more frequent pings.
    ("grpc.keepalive_time_ms", 300_000),
    ("grpc.keepalive_timeout_ms", 20_000),
)


def connect(
    target: str,
    credentials: grpc.ChannelCredentials | None = None,
) -> grpc.aio.Channel:
    """A channel to the target, such as dns:///localhost:50051; without credentials in the clear."""
    if credentials is None:
        return grpc.aio.insecure_channel(target, OPTIONS)
    return grpc.aio.secure_channel(target, credentials, OPTIONS)


class OrderServiceClient:
    """Order service."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._get_order = channel.unary_unary(
            "/acme.orders.v1.OrderService/GetOrder",
            request_serializer=pb.GetOrderRequest.SerializeToString,
            response_deserializer=pb.GetOrderResponse.FromString,
        )
        self._place_order = channel.unary_unary(
            "/acme.orders.v1.OrderService/PlaceOrder",
            request_serializer=pb.PlaceOrderRequest.SerializeToString,
            response_deserializer=pb.PlaceOrderResponse.FromString,
        )
        self._list_orders = channel.unary_unary(
            "/acme.orders.v1.OrderService/ListOrders",
            request_serializer=pb.ListOrdersRequest.SerializeToString,
            response_deserializer=pb.ListOrdersResponse.FromString,
        )
        self._watch_order = channel.unary_stream(
            "/acme.orders.v1.OrderService/WatchOrder",
            request_serializer=pb.WatchOrderRequest.SerializeToString,
            response_deserializer=pb.WatchOrderResponse.FromString,
        )

    async def get_order(
        self,
        request: pb.GetOrderRequest,
        *,
        timeout: float | None = None,
    ) -> pb.GetOrderResponse:
        """Get order.

        Deadline: 300ms.
        Changes nothing; may be repeated.
        Errors: INVALID_ARGUMENT, NOT_FOUND.
        """
        return await self._get_order(
            request,
            timeout=deadlines.shortest(0.3, timeout),
            metadata=tracing.headers(),
        )

    async def place_order(
        self,
        request: pb.PlaceOrderRequest,
        *,
        timeout: float | None = None,
    ) -> pb.PlaceOrderResponse:
        """Place order.

        Deadline: 2s.
        A second call changes nothing more; may be repeated.
        Errors: INVALID_ARGUMENT, FAILED_PRECONDITION.
        Left empty, request_id is made, and is the same on every try of this call.
        """
        keyed = copy.deepcopy(request)
        keyed.request_id = keyed.request_id or str(uuid.uuid4())
        return await self._place_order(
            keyed,
            timeout=deadlines.shortest(2.0, timeout),
            metadata=tracing.headers(),
        )

    async def list_orders(
        self,
        request: pb.ListOrdersRequest,
        *,
        timeout: float | None = None,
    ) -> pb.ListOrdersResponse:
        """List orders.

        Deadline: 1s.
        Changes nothing; may be repeated.
        Errors: INVALID_ARGUMENT.
        """
        return await self._list_orders(
            request,
            timeout=deadlines.shortest(1.0, timeout),
            metadata=tracing.headers(),
        )

    def list_orders_pages(
        self,
        request: pb.ListOrdersRequest,
        *,
        timeout: float | None = None,
    ) -> AsyncGenerator[pb.ListOrdersResponse, None]:
        """Every page of ListOrders from the request's own on; `timeout` is for each."""
        return streams.pages(
            lambda asked: self.list_orders(asked, timeout=timeout),
            request,
        )

    def watch_order(
        self,
        request: pb.WatchOrderRequest,
        *,
        timeout: float | None = None,
    ) -> AsyncGenerator[pb.WatchOrderResponse, None]:
        """Watch order.

        Deadline: 30s.
        Changes nothing; may be repeated.
        Errors: INVALID_ARGUMENT.
        Flow: a slow receiver holds the sender back. Resume a broken stream with the last token seen.
        Opened anew where it breaks, and at the end of each deadline.
        """

        def opened(
            asked: pb.WatchOrderRequest,
        ) -> grpc.aio.UnaryStreamCall[Any, pb.WatchOrderResponse]:
            return self._watch_order(
                asked,
                timeout=deadlines.shortest(30.0, timeout),
                metadata=tracing.headers(),
            )

        return streams.resumed(
            opened,
            request,
            streams.Place(asked=("resume_token",), told=("event", "resume_token")),
            streams.Again(
                attempts=3,
                first_wait=1.0,
                longest_wait=8.0,
                factor=2.0,
            ),
        )
