"""spin as a program: generate the verifier, compile it, run it, and read what it found.

One run decides all properties: the safety ones by marks that the verifier prints and goes on from, the last one
by an acceptance cycle against its LTL claim. A second, separate compilation gives the steps that lead to a
violation.
"""

from __future__ import annotations

import re
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

MEMORY_MEGABYTES = 1500
DEPTH = 200_000
SECONDS = 300

_NUMBER = r"([0-9.e+]+)"


@dataclass(frozen=True)
class SpinRun:
    """What spin says of one model.

    `states` are stored states (with the claim, where liveness was asked for), `transitions` all that were tried,
    `depth` the longest run searched. `broken` are the numbers of the violated properties. A run is `complete` if
    it was neither cut off by memory, by depth nor by time; else what is not broken is not known to hold.
    """

    broken: frozenset[int]
    complete: bool
    why_incomplete: str
    invalid_end_state: bool
    acceptance_cycle: bool
    errors: int
    states: int
    transitions: int
    depth: int
    generate_seconds: float
    compile_seconds: float
    run_seconds: float
    output: str

    @property
    def seconds(self) -> float:
        """The whole chain."""
        return self.generate_seconds + self.compile_seconds + self.run_seconds


class SpinError(Exception):
    """spin, gcc or the verifier didn't do its work; the text says what they said."""


def verify(model: str, folder: Path, *, live: bool = True, small: bool = False) -> SpinRun:
    """All properties of the model; without `live` the safety ones only, which halves the states.

    A `small` model is compiled without optimisation, which then takes longer than the search.

    Raises:
        SpinError: the model doesn't translate or compile, or the verifier's answer can't be read.
    """
    flags = ["-DLIVE"] if live else []
    generated, compiled = _build(
        model, folder, flags, ["-DNOREDUCE", *([] if live else ["-DSAFETY"]), *(["-O0"] if small else [])]
    )
    started = time.perf_counter()
    command = ["./pan", f"-m{DEPTH}", "-c0", "-w22", *(["-a"] if live else [])]
    try:
        ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False)
        output, cut = ran.stdout + ran.stderr, ""
    except subprocess.TimeoutExpired as expired:
        output = expired.stdout.decode() if isinstance(expired.stdout, bytes) else str(expired.stdout or "")
        cut = f"stopped after {SECONDS} s"
    return _read(output, cut, generated, compiled, time.perf_counter() - started)


def path_to(model: str, prop: int, folder: Path) -> tuple[str, ...]:
    """The shortest run (fewest steps of the model) that breaks that safety property; empty if there is none.

    Raises:
        SpinError: the model doesn't translate or compile.
    """
    _build(model, folder, [f"-DTRAIL={prop}"], ["-DNOREDUCE", "-DSAFETY", "-DBFS"])
    subprocess.run(["./pan", "-w22"], cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False)
    if not (folder / "model.pml.trail").exists():
        return ()
    replay = _spin([f"-DTRAIL={prop}", "-t", "-T", "model.pml"], folder)
    told = replay.split("#processes:")[0].splitlines()
    return tuple(line.strip() for line in told if line.strip() and not line.startswith("spin:"))


def _build(model: str, folder: Path, spin_flags: list[str], gcc_flags: list[str]) -> tuple[float, float]:
    (folder / "model.pml").write_text(model)
    (folder / "model.pml.trail").unlink(missing_ok=True)
    started = time.perf_counter()
    _spin([*spin_flags, "-a", "model.pml"], folder)
    translated = time.perf_counter()
    gcc = ["gcc", "-O2", "-w", f"-DMEMLIM={MEMORY_MEGABYTES}", *gcc_flags, "-o", "pan", "pan.c"]
    compiled = subprocess.run(gcc, cwd=folder, capture_output=True, text=True, check=False)
    if compiled.returncode:
        raise SpinError(compiled.stderr)
    return translated - started, time.perf_counter() - translated


def _spin(arguments: list[str], folder: Path) -> str:
    ran = subprocess.run(["spin", *arguments], cwd=folder, capture_output=True, text=True, check=False)
    text = ran.stdout + ran.stderr
    if "-a" in arguments and (ran.returncode or not (folder / "pan.c").exists() or "Error" in text):
        raise SpinError(text)
    return text


def _read(output: str, cut: str, generated: float, compiled: float, ran: float) -> SpinRun:
    broken = {int(number) for number in re.findall(r"^BROKEN (\d+)$", output, re.MULTILINE)}
    # An acceptance cycle is announced once for each; the words "acceptance   cycles  +" stand in every report.
    cycle = re.search(r"^pan:\d+: acceptance cycle", output, re.MULTILINE) is not None
    invalid = re.search(r"^pan:\d+: invalid end state", output, re.MULTILINE) is not None
    errors = re.search(r"errors: (\d+)", output)
    if errors is None and not cut:
        raise SpinError(output or "the verifier printed nothing")
    for words, reason in (
        ("max search depth too small", "the search was cut off by its depth"),
        ("out of memory", "the search ran out of memory"),
        ("Search not completed", "the search was not completed"),
        ("reached -DMEMLIM bound", "the search ran out of memory"),
    ):
        if not cut and words in output:
            cut = reason
    if cycle:
        broken.add(7)
    return SpinRun(
        broken=frozenset(broken),
        complete=not cut,
        why_incomplete=cut,
        invalid_end_state=invalid,
        acceptance_cycle=cycle,
        errors=int(errors[1]) if errors else 0,
        states=_count(rf"{_NUMBER} states, stored", output),
        transitions=_count(rf"{_NUMBER} transitions", output),
        depth=_count(rf"depth reached {_NUMBER}", output),
        generate_seconds=generated,
        compile_seconds=compiled,
        run_seconds=ran,
        output=output,
    )


def _count(pattern: str, output: str) -> int:
    found = re.search(pattern, output)
    return int(float(found[1])) if found else 0
