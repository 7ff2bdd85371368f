"""From a gRPC spec to a checked package, beside `buf build` and `buf lint` alone on the same files, in the same run.

Ours reads the spec, decides, compiles, lints, formats, has a channel take the config, and writes every file. The two
take turns, and a ratio is the median of the ratios of neighbours, so that a busy machine slows both. Processor time is
what the kernel counts for a command and all that it started.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

PAIRS = 7
MESSAGES = (10, 100, 1_000)
RPCS_OF_A_SERVICE = 20
FIELDS = ("string", "int64", "repeated string", "timestamp", "optional bool", "map<string,int32>", "bytes", "double")
# What the ratio may be at most.
TO_REACH = 2.0
BINARIES = Path(sys.executable).parent
# Modules are compiled once, as they are for whoever installs a package, wherever this runs.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


@dataclass(frozen=True)
class Took:
    """Seconds: by the clock, and of a processor."""

    wall: float
    cpu: float


def spec(messages: int) -> str:
    """A package of about so many messages: each rpc has two of its own, and each two rpcs share one."""
    rpcs = max(messages * 2 // 5, 1)
    lines = ["package: acme.bench.v1", "services:"]
    for number in range(rpcs):
        if number % RPCS_OF_A_SERVICE == 0:
            lines.append(f"  Part{number // RPCS_OF_A_SERVICE}Service:")
        shared = f"Thing{number % max(rpcs // 2, 1)}"
        lines.append(
            f"    GetThing{number}: {{request: {{id: string}}, response: {{thing: {shared}}}, "
            "deadline: 300ms, idempotency: no-side-effects}"
        )
    lines.append("messages:")
    for number in range(max(rpcs // 2, 1)):
        fields = ", ".join(f'field_{index}: "{kind}"' for index, kind in enumerate(FIELDS))
        lines.append(f"  Thing{number}: {{{fields}, mood: Mood{number % 10}}}")
    lines.append("enums:")
    lines += [f"  Mood{number}: [GOOD, BAD, UGLY]" for number in range(10)]
    return "\n".join(lines) + "\n"


def took(commands: Sequence[Sequence[str]], folder: Path) -> Took:
    """How long the commands take, one after another."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    for command in commands:
        subprocess.run(command, cwd=folder, env=ENVIRONMENT, check=True, capture_output=True)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return Took(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def pairs(folder: Path) -> Iterator[tuple[Took, Took]]:
    ours = [str(BINARIES / "halfopen"), "grpc", "bench.grpc.yaml", "--out", "out", "--overwrite", "--quiet"]
    buf = str(BINARIES / "buf")
    theirs = ([buf, "build", "out", "-o", "image.binpb"], [buf, "lint", "out"])
    took([ours], folder)  # what buf looks at, and what Python compiles once
    for _ in range(PAIRS):
        yield took([ours], folder), took(theirs, folder)


def main() -> None:
    print(f"{'messages':>9} {'ours':>8} {'buf':>8} {'ratio':>6} {'ours, cpu':>10} {'buf, cpu':>9} {'ratio':>6}")
    for messages in MESSAGES:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "bench.grpc.yaml").write_text(spec(messages))
            found = list(pairs(folder))
        wall = [(ours.wall, theirs.wall) for ours, theirs in found]
        cpu = [(ours.cpu, theirs.cpu) for ours, theirs in found]
        row = [f"{messages:>9,}"]
        for several, width in ((wall, 8), (cpu, 9)):
            ours, theirs = (median(each[side] for each in several) for side in (0, 1))
            ratio = median(each[0] / each[1] for each in several)
            row += [f"{ours:>{width}.2f}", f"{theirs:>{width}.2f}", f"{ratio:>6.2f}"]
        print(*row, f"(to reach: {TO_REACH:g})")


if __name__ == "__main__":
    main()
