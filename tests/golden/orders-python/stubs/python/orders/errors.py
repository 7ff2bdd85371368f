"""Errors as google.rpc.Status: a code, a text for people, and details for programs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Never

import grpc
from google.protobuf import descriptor_pool, message_factory
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

# Its import makes the details of google.rpc known to `failure`.
BadRequest = error_details_pb2.BadRequest


@dataclass(frozen=True)
class Failure:
    """What a server said of a call that failed."""

    code: grpc.StatusCode
    text: str
    details: tuple[Message, ...]


def failure(error: grpc.aio.AioRpcError) -> Failure:
    """The error taken apart: each detail as its own message, or as Any if its type is not known here."""
    return Failure(error.code(), error.details() or "", tuple(_details(error)))


def _details(error: Any) -> list[Message]:
    try:
        status = rpc_status.from_call(error)
    except ValueError:
        # The details contradict the status that they came with.
        return []
    return [_unpacked(each) for each in status.details] if status else []


def _unpacked(detail: Any) -> Message:
    try:
        known = descriptor_pool.Default().FindMessageTypeByName(detail.TypeName())
    except KeyError:
        return detail  # type: ignore[no-any-return]
    message = message_factory.GetMessageClass(known)()
    detail.Unpack(message)
    return message


async def refuse(
    context: grpc.aio.ServicerContext[Any, Any],
    code: grpc.StatusCode,
    text: str,
    *details: Message,
) -> Never:
    """End the call with that code, text and details."""
    status = status_pb2.Status(code=code.value[0], message=text)
    for detail in details:
        status.details.add().Pack(detail)
    await context.abort_with_status(rpc_status.to_status(status))
