"""Golden folders: what a spec comes out as, kept under tests/golden/, and the same bytes from every process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]
GOLDEN = ROOT / "tests" / "golden"


def kept(folder: Path, found: Mapping[str, str]) -> dict[str, str]:
    """The texts of that folder by path; with HALFOPEN_UPDATE_GOLDEN=1 what was found is written there first.

    Read the difference before you commit it.
    """
    if os.environ.get("HALFOPEN_UPDATE_GOLDEN") == "1":
        for name, text in found.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
    return {str(path.relative_to(folder)): path.read_text("utf-8") for path in folder.rglob("*") if path.is_file()}


def by_hash_seed(module: str, call: str) -> set[str]:
    """What that call of the module gives in processes that hash texts differently; one text if all is well."""
    program = f"import sys; from {module} import {call.partition('(')[0]}; sys.stdout.write({call})"
    return {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }
