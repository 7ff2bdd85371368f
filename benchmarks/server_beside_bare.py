"""The server beside a bare `MCPServer` with one trivial tool, in the same run: start, light call, memory.

Processor time is what the kernel counts for all threads of each process; the two take turns, and a ratio is the median
of the ratios of neighbours, so that a busy machine slows both. Needs Linux, whose /proc tells it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

STARTS, CALLS = 9, 300
# What the ratios may be at most.
TO_REACH = {"start to first reply": 1.10, "light call, p50": 1.30, "memory": 1.30}
BARE = """
from mcp.server import MCPServer
server = MCPServer("bare", log_level="WARNING")
@server.tool()
def explain(code: str) -> str:
    "The page on a code."
    return code
server.run("stdio")
"""
COMMANDS: Mapping[str, list[str]] = {
    "bare": [sys.executable, "-c", BARE],
    "halfopen": [str(Path(sys.executable).with_name("halfopen")), "mcp"],
}
HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "bench", "version": "1"}}
EXPLAIN = {"name": "explain", "arguments": {"code": "SAG06"}}


@dataclass
class Server:
    """A running server, spoken to over its pipes."""

    process: subprocess.Popen[str]
    calls: int = field(default=0)

    def ask(self, method: str, params: Mapping[str, Any]) -> Any:
        self.calls += 1
        self.say({"id": self.calls, "method": method, "params": params})
        assert self.process.stdout is not None
        reply = json.loads(self.process.stdout.readline())
        assert reply["id"] == self.calls, reply
        assert not reply["result"].get("isError"), reply
        return reply["result"]

    def say(self, message: Mapping[str, Any]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        self.process.stdin.flush()

    def cpu(self) -> float:
        """Processor seconds that it has taken."""
        tasks = Path(f"/proc/{self.process.pid}/task").glob("*/schedstat")
        return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9

    def memory(self) -> float:
        """What of it is in memory, in MB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024


@contextmanager
def started(name: str, folder: str) -> Iterator[Server]:
    environment = {"PATH": os.environ["PATH"], "HOME": folder, "CLAUDE_PLUGIN_DATA": folder}
    with subprocess.Popen(
        COMMANDS[name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, cwd=folder
    ) as process:
        try:
            yield Server(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()


def starts(folder: str) -> dict[str, list[tuple[float, float]]]:
    """Processor and wall seconds from the start to the first reply."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in COMMANDS}
    # The first of each fills the disk's cache and isn't counted.
    for turn in range(STARTS + 1):
        for name in COMMANDS:
            before = time.perf_counter()
            with started(name, folder) as server:
                server.ask("initialize", HELLO)
                if turn:
                    found[name].append((server.cpu(), time.perf_counter() - before))
    return found


def calls(folder: str) -> tuple[dict[str, list[tuple[float, float]]], dict[str, float]]:
    """Processor and wall seconds of each call, both servers in turn; then the memory of each."""
    with ExitStack() as stack:
        servers = {name: stack.enter_context(started(name, folder)) for name in COMMANDS}
        for server in servers.values():
            server.ask("initialize", HELLO)
            server.say({"method": "notifications/initialized"})
            server.ask("tools/list", {})
            server.ask("tools/call", EXPLAIN)
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in COMMANDS}
        for _ in range(CALLS):
            for name, server in servers.items():
                cpu, before = server.cpu(), time.perf_counter()
                server.ask("tools/call", EXPLAIN)
                found[name].append((server.cpu() - cpu, time.perf_counter() - before))
        return found, {name: server.memory() for name, server in servers.items()}


def row(what: str, unit: str, bare: float, ours: float, ratio: float, wall: str = "") -> None:
    print(f"{what:22} {bare:8.2f} {ours:8.2f} {unit:3} {ratio:6.2f}  (to reach: {TO_REACH[what]:.2f}){wall}")


def compared(
    found: Mapping[str, list[tuple[float, float]]], place: int, scale: float = 1
) -> tuple[float, float, float]:
    """The medians of both, and the median ratio of neighbours."""
    bare, ours = ([each[place] * scale for each in found[name]] for name in ("bare", "halfopen"))
    return median(bare), median(ours), median(our / its for its, our in zip(bare, ours, strict=True))


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        start, (call, memory) = starts(folder), calls(folder)
    print(f"{'processor time, memory':22} {'bare':>8} {'halfopen':>8}     {'ratio':>6}")
    for what, unit, found, scale in (("start to first reply", "s", start, 1), ("light call, p50", "ms", call, 1000)):
        bare, ours, ratio = compared(found, 1, scale)
        row(what, unit, *compared(found, 0, scale), f"  wall: {bare:.2f} and {ours:.2f} {unit}, {ratio:.2f}")
    row("memory", "MB", memory["bare"], memory["halfopen"], memory["halfopen"] / memory["bare"])


if __name__ == "__main__":
    main()
