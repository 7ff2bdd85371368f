"""A long run in a thread of its own: its progress goes to the caller, and the caller's cancellation to it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar

import anyio
import anyio.to_thread
from mcp.server.mcpserver import Context

from halfopen.progress import Progress

T = TypeVar("T")

# Seconds between two notifications: often enough to watch, rare enough to cost nothing.
INTERVAL = 0.25


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


async def in_thread(context: Context[Any, Any], work: Callable[[Progress], T]) -> T:
    """What `work` returns, run in a thread; cancelling this call cancels the work.

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
            await anyio.to_thread.run_sync(run, abandon_on_cancel=True)
        finally:
            relay.cancel()
        group.cancel_scope.cancel()
    await relay.pass_on(context)
    if failures:
        raise failures[0]
    return results[0]
