"""A long run in a thread of its own: its progress goes to the caller, and the caller's cancellation to it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import anyio
from mcp.server.mcpserver import Context

from halfopen.progress import Progress

T = TypeVar("T")

# Seconds between two notifications: often enough to watch, rare enough to cost nothing.
INTERVAL = 0.25
# How many runs go on at once. They are bound by the processor, which more of them would only share out more
# finely; a few, so that a short run needn't wait for a long one to end.
RUNS_AT_ONCE = 4


class Relay:
    """The `Progress` that the run sees. It only takes notes, so that `report` stays cheap."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._latest: tuple[int, str] | None = None
        self._sent: tuple[int, str] | None = None
        self._before = 0
        self._sent_total = 0

    def report(self, done: int, what: str) -> None:
        """Note how much is done; it is passed on at the next interval."""
        self._latest = (done, what)

    def cancelled(self) -> bool:
        """True once the caller gave up."""
        return self._stop.is_set()

    def cancel(self) -> None:
        """Make the run end at its next look."""
        self._stop.set()

    async def pass_on(self, context: Context[Any, Any]) -> None:
        """Send what is new, as a number that only grows, which is what the protocol asks for."""
        latest = self._latest
        if latest is None or latest == self._sent:
            return
        if self._sent is not None and latest[0] < self._sent[0]:
            # A new phase of the run counts from zero again.
            self._before = self._sent_total
        total = self._before + latest[0]
        self._sent = latest
        if total > self._sent_total:
            self._sent_total = total
            await context.report_progress(total, message=f"{latest[0]} {latest[1]}")


class Runs(ThreadPoolExecutor):
    """The threads of a server's runs, apart from all others, so that no run keeps a light call waiting.

    A run that was cancelled keeps its thread until it has really ended: there are never more than that many.
    """

    def __init__(self, at_once: int = RUNS_AT_ONCE) -> None:
        super().__init__(at_once, thread_name_prefix="halfopen-run")


async def in_thread(context: Context[Any, Any], work: Callable[[Progress], T], runs: Runs) -> T:
    """What `work` returns, run in one of those threads; cancelling this call cancels the work.

    A cancelled call doesn't wait for the thread: the work sees `cancelled()` and ends by itself, and its
    result goes nowhere.
    """
    relay = Relay()
    results: list[T] = []
    failures: list[Exception] = []

    def run() -> None:
        try:
            results.append(work(relay))
        except Exception as failure:  # noqa: BLE001 - raised again below; a task group would wrap it
            failures.append(failure)

    async def watch() -> None:
        while True:
            await anyio.sleep(INTERVAL)
            await relay.pass_on(context)

    async with anyio.create_task_group() as group:
        group.start_soon(watch)
        try:
            await asyncio.get_running_loop().run_in_executor(runs, run)
        finally:
            relay.cancel()
        group.cancel_scope.cancel()
    await relay.pass_on(context)
    if failures:
        raise failures[0]
    return results[0]
