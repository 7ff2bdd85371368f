"""The same sagas through our explorer in exact mode and through the whole spin chain, in the same run.

spin's chain is generate, compile and run: what a user of spin waits for. Its model is the independent one of
tests/saga/promela, so the states of the two are of the same protocol and bounds but are not the same number.
Run it with `python benchmarks/spin_side_by_side.py [most steps]`; it needs spin and gcc.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))


def saga(steps: int) -> dict[str, Any]:
    """A sound saga in a row: what can be undone first, then the pivot, and from three steps on a step behind it."""
    guarantees = dict.fromkeys(("deduplicates", "refuses_late_actions", "accepts_empty_compensation"), True)
    behind = 1 if steps >= 3 else 0
    before = steps - 1 - behind
    listed: list[dict[str, Any]] = [
        {
            "name": f"step-{number}",
            "service": f"service-{number}",
            "action": f"Reserve{number}",
            "compensation": f"Release{number}",
            "retry": {"attempts": 1},
            "can_be_refused": True,
        }
        for number in range(before)
    ]
    listed.append({"name": "pivot", "service": "bank", "action": "Charge", "kind": "pivot", "can_be_refused": True})
    if behind:
        listed.append({"name": "last", "service": "shipping", "action": "Ship", "kind": "retriable"})
    return {
        "saga": "side-by-side",
        "style": "orchestration",
        "services": {step["service"]: guarantees for step in listed},
        "steps": listed,
        "faults": {"lost_messages": 1, "duplicated_messages": 1, "crashes": 1},
    }


def compare(steps: int) -> tuple[str, ...]:
    """One row: both verdicts of one saga, their states and seconds, and the ratio of the seconds."""
    from halfopen.progress import Silent
    from halfopen.registry import Options
    from halfopen.source import Source, validate
    from halfopen_generators.saga.design import design
    from halfopen_generators.saga.options import SagaOptions
    from halfopen_generators.saga.spec import SagaSpec
    from halfopen_generators.saga.verify import verify as explore
    from tests.saga.promela.promela import promela
    from tests.saga.promela.spin import verify as spin

    source = Source(saga(steps))
    designed = design(validate(SagaSpec, source), source, Options())
    started = time.perf_counter()
    ours = explore(designed, SagaOptions(exact=True), Silent())
    seconds = time.perf_counter() - started
    agreed = all(verdict.outcome == "holds" for verdict in ours.verdicts)
    row = [str(steps), f"{max(v.explored.states for v in ours.verdicts):,}", f"{seconds:.2f}"]
    for live in (False, True):
        with tempfile.TemporaryDirectory() as folder:
            started = time.perf_counter()
            run = spin(promela(designed), Path(folder), live=live)
            whole = time.perf_counter() - started
        agreed = agreed and run.complete and not run.broken
        row += [f"{run.states:,}", f"{run.run_seconds:.2f}", f"{whole:.2f}", f"{seconds / whole:.2f}"]
    return (*row, "yes" if agreed else "NO")


def main(most: int) -> None:
    """Print the table, one row for each number of steps."""
    heads = ("steps", "our states", "our s", *("states", "run s", "chain s", "ratio") * 2, "both hold")
    print("Ours decides safety and liveness; spin: safety alone, then both. Ratio: ours over the whole chain.")
    print("  ".join(f"{head:>10}" for head in heads))
    for steps in range(1, most + 1):
        print("  ".join(f"{cell:>10}" for cell in compare(steps)), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
