"""spin's opinion of each spec of the table, asked once however many tests want it."""

from __future__ import annotations

import shutil
import tempfile
from functools import cache
from pathlib import Path

from tests.oracles import require
from tests.saga.promela.promela import promela
from tests.saga.promela.spin import SpinRun, verify
from tests.saga.promela.table import designed


def need_spin() -> None:
    """Go on only where spin and a C compiler are."""
    for program in ("spin", "gcc"):
        require(program, available=shutil.which(program) is not None, how_to_get=f"apt-get install {program}")


@cache
def spin_says(name: str) -> SpinRun:
    """All properties of that spec, by one run of the whole chain."""
    need_spin()
    with tempfile.TemporaryDirectory() as folder:
        return verify(promela(designed(name)), Path(folder), small=True)
