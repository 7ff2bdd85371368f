"""The process in which a channel takes a config: asked once, started early or not, and gone afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path

import pytest

from halfopen import early
from halfopen.checkers import channel_process
from halfopen.registry import MODULES
from halfopen_server import cli

CODE = "from halfopen.checkers import channel_process\nchannel_process.start_early()\n"


@pytest.fixture(autouse=True)
def _none_is_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel_process, "_waiting", [])
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


def test_one_that_was_started_early_is_the_one_that_is_asked(tmp_path: Path) -> None:
    channel_process.start_early()
    (waiting,) = channel_process._waiting
    good = channel_process.asked('{"loadBalancingConfig": [{"round_robin": {}}]}')
    assert (good.status, good.stdout.splitlines()[0]) == (0, "UNAVAILABLE")
    assert waiting._process.returncode == 0
    bad = channel_process.asked('{"loadBalancingConfig": 7}')
    assert bad.stdout.splitlines()[0] != "UNAVAILABLE"
    assert "loadBalancingConfig" in bad.stdout
    assert (channel_process._waiting, list(tmp_path.iterdir())) == ([], [])


def test_one_that_never_answers_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel_process, "_PROGRAM", "import time\ntime.sleep(600)")
    monkeypatch.setattr(channel_process, "_SECONDS", 0.2)
    assert channel_process.asked("{}") == channel_process.Ran(None, "", "no answer within 0.2 s")
    assert list(tmp_path.iterdir()) == []


def test_one_that_can_not_be_started_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    early.start_early("grpc")
    assert channel_process._waiting == []
    ran = channel_process.asked("{}")
    assert (ran.status, ran.stderr) == (None, "could not be started: No such file or directory")
    assert list(tmp_path.iterdir()) == []


def run(code: str, folder: Path) -> str:
    environment = {**os.environ, "TMPDIR": str(folder)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return done.stdout


def ended(process: str) -> bool:
    # One that nobody waits for stays listed where nobody takes it over.
    status = Path("/proc", process, "status")
    return not status.exists() or "State:\tZ" in status.read_text()


def test_nothing_is_left_of_one_that_nobody_asked(tmp_path: Path) -> None:
    process = run(f"{CODE}print(channel_process._waiting[0]._process.pid)", tmp_path).strip()
    assert ended(process)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="looks for the process where Linux lists it")
def test_one_ends_by_itself_when_its_starter_was_killed(tmp_path: Path) -> None:
    killed = "print(channel_process._waiting[0]._process.pid, flush=True)\nimport os\nos._exit(0)"
    process = run(f"{CODE}{killed}", tmp_path).strip()
    until = time.monotonic() + 60
    while not ended(process):
        assert time.monotonic() < until
        time.sleep(0.05)


def test_only_what_answers_to_a_spec_starts_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    started: list[str] = []
    monkeypatch.setattr(cli, "start_early", started.append)
    for arguments in (["grpc", "--help"], ["grpc"], ["grpc", "--check", str(tmp_path)], ["--version"]):
        with pytest.raises(SystemExit):
            cli.cli.main(arguments)
    assert started == []
    with pytest.raises(SystemExit):
        cli.cli.main(["grpc", str(tmp_path / "missing.grpc.yaml")])
    assert started == ["grpc"]


def test_what_starts_early_is_there() -> None:
    assert early.STARTS.keys() <= MODULES.keys()
    assert all(callable(import_module(module).start_early) for module in early.STARTS.values())
