"""Answers acme.orders.v1: python -m orders.server [--address HOST:PORT] [--notice SECONDS]."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
from collections.abc import Sequence

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from .contract import SERVICES
from .deadlines import DeadlineInterceptor
from .idempotency import IdempotencyInterceptor, Memory, Store
from .services import services
from .skeleton import Servable
from .tracing import TraceInterceptor

log = logging.getLogger(__name__)

OPTIONS = (
    # A second server on a port that is taken is an error, not half of the calls.
    ("grpc.so_reuseport", 0),
    # Finds clients that are gone without a word.
    ("grpc.keepalive_time_ms", 300_000),
    ("grpc.keepalive_timeout_ms", 20_000),
)
# Seconds between NOT_SERVING and taking no new calls: clients that watch health go elsewhere in it.
NOTICE = 1.0
# Seconds that calls get to end: as long as they may last, within what a supervisor allows.
GRACE = 25.0


class Server:
    """The services on a port, with health and reflection."""

    def __init__(self, offered: Sequence[Servable], store: Store | None = None) -> None:
        # From the outside in.
        self._server = grpc.aio.server(
            interceptors=(
                TraceInterceptor(),
                DeadlineInterceptor(),
                IdempotencyInterceptor(store or Memory()),
            ),
            options=OPTIONS,
        )
        self._server.add_generic_rpc_handlers([each.handlers() for each in offered])
        self._health = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        names = (*SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, self._server)

    async def start(
        self, address: str, credentials: grpc.ServerCredentials | None = None
    ) -> int:
        """Take calls at HOST:PORT, and give the port; without credentials in the clear.

        Raises:
            RuntimeError: the port is taken.
        """
        if credentials is None:
            port = self._server.add_insecure_port(address)
        else:
            port = self._server.add_secure_port(address, credentials)
        await self._server.start()
        for name in (health.OVERALL_HEALTH, *SERVICES):
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)
        return port

    async def stop(self, notice: float = NOTICE, grace: float = GRACE) -> None:
        """Say NOT_SERVING, after the notice take no new calls, and cut off what the grace doesn't see end."""
        await self._health.enter_graceful_shutdown()
        await asyncio.sleep(notice)
        await self._server.stop(grace)


async def serve(address: str, notice: float = NOTICE) -> None:
    """Answer calls until SIGTERM or SIGINT, then end in order."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    server = Server(services())
    port = await server.start(address)
    log.info("listening on %s:%d", address.rpartition(":")[0], port)
    await told.wait()
    log.info("stopping")
    await server.stop(notice)
    log.info("stopped")


def main() -> None:
    """Read the arguments, and serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--address", default="localhost:50051")
    parser.add_argument("--notice", type=float, default=NOTICE)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    asyncio.run(serve(arguments.address, arguments.notice))


if __name__ == "__main__":
    main()
