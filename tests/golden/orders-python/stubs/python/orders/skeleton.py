"""The rpcs of acme.orders.v1, typed: a class per service, a method per rpc. Fill them in in `services.py`.

A stream is an async generator. Whoever reads it slowly holds it at its `yield`, so fetch
what comes next after it, and put no queue before it that can grow.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any, Protocol

import grpc

from .pb.acme.orders.v1 import orders_pb2 as pb

Context = grpc.aio.ServicerContext[Any, Any]


class Servable(Protocol):
    """A service that a server can offer."""

    def handlers(self) -> grpc.GenericRpcHandler:
        """How each rpc of it is answered."""


class OrderService:
    """Order service."""

    async def get_order(
        self,
        request: pb.GetOrderRequest,
        context: Context,
    ) -> pb.GetOrderResponse:
        """Get order.

        Deadline: 300ms.
        Changes nothing; may be repeated.
        Errors: INVALID_ARGUMENT, NOT_FOUND.
        """
        await context.abort(
            grpc.StatusCode.UNIMPLEMENTED,
            "GetOrder is not filled in",
        )

    async def place_order(
        self,
        request: pb.PlaceOrderRequest,
        context: Context,
    ) -> pb.PlaceOrderResponse:
        """Place order.

        Deadline: 2s.
        A second call changes nothing more; may be repeated.
        Errors: INVALID_ARGUMENT, FAILED_PRECONDITION.
        """
        await context.abort(
            grpc.StatusCode.UNIMPLEMENTED,
            "PlaceOrder is not filled in",
        )

    async def list_orders(
        self,
        request: pb.ListOrdersRequest,
        context: Context,
    ) -> pb.ListOrdersResponse:
        """List orders.

        Deadline: 1s.
        Changes nothing; may be repeated.
        Errors: INVALID_ARGUMENT.
        """
        await context.abort(
            grpc.StatusCode.UNIMPLEMENTED,
            "ListOrders is not filled in",
        )

    async def watch_order(
        self,
        request: pb.WatchOrderRequest,
        context: Context,
    ) -> AsyncGenerator[pb.WatchOrderResponse, None]:
        """Watch order.

        Deadline: 30s.
        Changes nothing; may be repeated.
        Errors: INVALID_ARGUMENT.
        Flow: a slow receiver holds the sender back. Resume a broken stream with the last token seen.
        """
        await context.abort(
            grpc.StatusCode.UNIMPLEMENTED,
            "WatchOrder is not filled in",
        )
        # Never reached: it makes this a generator.
        yield pb.WatchOrderResponse()

    def handlers(self) -> grpc.GenericRpcHandler:
        """How each rpc is answered."""
        return grpc.method_handlers_generic_handler(
            "acme.orders.v1.OrderService",
            {
                "GetOrder": grpc.unary_unary_rpc_method_handler(
                    self.get_order,
                    request_deserializer=pb.GetOrderRequest.FromString,
                    response_serializer=pb.GetOrderResponse.SerializeToString,
                ),
                "PlaceOrder": grpc.unary_unary_rpc_method_handler(
                    self.place_order,
                    request_deserializer=pb.PlaceOrderRequest.FromString,
                    response_serializer=pb.PlaceOrderResponse.SerializeToString,
                ),
                "ListOrders": grpc.unary_unary_rpc_method_handler(
                    self.list_orders,
                    request_deserializer=pb.ListOrdersRequest.FromString,
                    response_serializer=pb.ListOrdersResponse.SerializeToString,
                ),
                "WatchOrder": grpc.unary_stream_rpc_method_handler(
                    self.watch_order,
                    request_deserializer=pb.WatchOrderRequest.FromString,
                    response_serializer=pb.WatchOrderResponse.SerializeToString,
                ),
            },
        )
