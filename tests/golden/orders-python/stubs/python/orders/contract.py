"""What the design says of each rpc, by its path. It comes from the spec: change it there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from google.protobuf.message import Message

from .pb.acme.orders.v1 import orders_pb2 as pb

_FILES = [
    pb.DESCRIPTOR,
]
SERVICES = [
    service.full_name for file in _FILES for service in file.services_by_name.values()
]
# Seconds that a call may take, all its tries together.
DEADLINES: Mapping[str, float] = {
    "/acme.orders.v1.OrderService/GetOrder": 0.3,
    "/acme.orders.v1.OrderService/PlaceOrder": 2.0,
    "/acme.orders.v1.OrderService/ListOrders": 1.0,
    "/acme.orders.v1.OrderService/WatchOrder": 30.0,
}


@dataclass(frozen=True)
class Remembered:
    """An idempotent rpc: the field that tells its calls apart, and what it answers with."""

    field: str
    response: type[Message]


REMEMBERED: Mapping[str, Remembered] = {
    "/acme.orders.v1.OrderService/PlaceOrder": Remembered(
        field="request_id",
        response=pb.PlaceOrderResponse,
    ),
}
