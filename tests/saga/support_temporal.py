"""Sagas rendered for Temporal, servers to run them on, and workers that can be killed."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from halfopen_generators.saga.scenario import Scenario, scenarios
from halfopen_generators.saga.targets import temporal
from tests.oracles import require
from tests.saga.support_dbos import designed

WORKER = Path(__file__).with_name("support_temporal_worker.py")
# How long anything may take that is sure to happen, on a machine with a lot to do.
PATIENCE = 120

# Only the step in the midst has a short timeout: an answer that a busy machine delays must not look lost.
ORDER = """
saga: order
correlation_key: order_id
deadline: 1h
steps:
  - {name: reserve, service: stock, action: Reserve, compensation: Release, can_be_refused: true, timeout: 60s}
  - {name: charge, service: bank, action: Charge, compensation: Refund, can_be_refused: true, timeout: 1s,
     retry: {attempts: 2, backoff: 10ms}, reply: {payment_id: string}}
  - {name: ship, service: parcels, action: Ship, compensation: Recall, can_be_refused: true, timeout: 60s}
"""

# The same with a pivot that nothing undoes, and a step behind it.
PIVOT = """
saga: parcel
correlation_key: order_id
deadline: 1h
steps:
  - {name: reserve, service: stock, action: Reserve, compensation: Release, can_be_refused: true, timeout: 60s}
  - {name: charge, service: bank, action: Charge, kind: pivot, can_be_refused: true, timeout: 60s}
  - {name: ship, service: parcels, action: Ship, kind: retriable, timeout: 60s, retry: {backoff: 10ms}}
"""


def rendered(text: str, more: Iterable[Scenario] = ()) -> dict[str, str]:
    saga = designed(text)
    return {artifact.path: artifact.text for artifact in temporal.artifacts(saga, (*scenarios(saga), *more))}


def written(text: str, folder: Path, more: Iterable[Scenario] = ()) -> Path:
    for path, content in rendered(text, more).items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content, encoding="utf-8")
    return folder


def program(name: str) -> str:
    """The path of `temporal` or `temporal-test-server`."""
    places = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    found = shutil.which(name, path=places)
    sdk = importlib.util.find_spec("temporalio") is not None
    require(name, available=sdk and found is not None, how_to_get="install halfopen[oracles]")
    return str(found)


def modules(folder: Path, package: str) -> Any:
    """The generated package, imported here with the modules that tests look into."""
    sys.path.insert(0, str(folder))
    for name in ("example", "ledger", "messages", "saga", "starter", "store", "transport", "worker", "workflow"):
        importlib.import_module(f"{package}.{name}")
    return sys.modules[package]


class Fates:
    """The generated participants, and in front of them what a test does to the tries of a request.

    `fates` maps a point such as `charge/action` to what its tries meet, in their order: `refused`; `misfit`, an
    answer outside its contract; `lost`, and the sender waits in vain; or something to await first. All other
    tries are answered.
    """

    def __init__(self, package: Any, store: Any, **fates: Sequence[Any]) -> None:
        self.package = package
        self.local = package.transport.Local(store)
        self.fates = {point.replace("_", "/"): list(met) for point, met in fates.items()}
        self.sent: list[str] = []

    async def send(self, request: Any) -> Any:
        point = f"{request.step}/{request.request}"
        self.sent.append(point)
        fates = self.fates.get(point)
        fate = fates.pop(0) if fates else "answered"
        if fate == "misfit":
            return replace(await self.local.send(request), reply={"unheard_of": 1})
        if fate == "refused":
            return self.package.messages.Answer(done=False, reason="the test says no")
        if fate == "lost":
            await asyncio.sleep(3600)
        elif fate != "answered":
            await fate()
        return await self.local.send(request)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class DevServer:
    """The full server of Temporal, which can be killed and started again over the same file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        options = ["--ip", "127.0.0.1", "--port", str(self.port), "--headless", "--log-level", "error"]
        command = [program("temporal"), "server", "start-dev", *options, "--db-filename", "server.db"]
        self.process = subprocess.Popen(command, cwd=self.folder, stdout=subprocess.DEVNULL)
        # Programs that are started now, and ask but once, must find it.
        asyncio.run(self.client())

    def kill(self) -> None:
        """SIGKILL: no goodbye."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    async def client(self) -> Any:
        from temporalio.client import Client

        async with asyncio.timeout(PATIENCE):
            while True:
                with contextlib.suppress(RuntimeError):
                    return await Client.connect(self.address)
                await asyncio.sleep(0.2)


@contextlib.contextmanager
def worker(folder: Path, package: str, plan: dict[str, Any], **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """A worker in a process of its own, killed at the end if it still lives."""
    process = subprocess.Popen(
        [sys.executable, str(WORKER), package, json.dumps(plan)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def wait_for(mark: Path) -> None:
    """Until the file is there."""
    end = time.monotonic() + PATIENCE
    while not mark.exists():
        assert time.monotonic() < end, f"{mark.name} never came"
        time.sleep(0.05)
