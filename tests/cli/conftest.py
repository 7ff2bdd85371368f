from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from halfopen.registry import MODULES

ROOT = Path(__file__).parents[2]
TOY = [sys.executable, str(Path(__file__).with_name("with_toy.py"))]

LIGHT = "toy: car\nparts:\n  - {name: wheel}\n"
MEDIUM = "toy: car\nparts:\n  - {name: wheel}\n  - {name: engine, weight: 7}\n"
HEAVY = "toy: car\nparts:\n  - {name: wheel}\n  - {name: engine, weight: 70}\n"

Invoke = Callable[..., Result]


def environment(**more: str) -> Mapping[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": "/nonexistent",
        "PYTHONPATH": str(ROOT),
        "HALFOPEN_REPORTS": "memory",
        **more,
    }


def start(*arguments: str | Path, **popen: Any) -> subprocess.Popen[bytes]:
    """A process that offers the toy, with pipes unless told otherwise."""
    settings = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **popen}
    settings.setdefault("env", environment())
    return subprocess.Popen([*TOY, *map(str, arguments)], **settings)


@pytest.fixture
def invoke(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Invoke:
    """The command line in this process, standing in an empty folder, with the toy among the capabilities."""
    from halfopen_server.cli import cli

    monkeypatch.setitem(MODULES, "toy", "tests.cli.toy")  # type: ignore[misc]
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str | Path, stdin: str | bytes | None = None) -> Result:
        result = CliRunner().invoke(cli, [str(argument) for argument in arguments], input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


@pytest.fixture
def spec(tmp_path: Path) -> Callable[..., Path]:
    def make(text: str = LIGHT, name: str = "car.toy.yaml") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return make
