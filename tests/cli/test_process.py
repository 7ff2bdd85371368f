"""The command line from outside: signals, pipes, terminals, encodings, and what is imported."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from halfopen.vocabulary import Outcome, Report
from tests.cli.conftest import HEAVY, LIGHT, ROOT, environment, start

Spec = Callable[..., Path]
# No command but `halfopen mcp` may pay for these.
HEAVY_IMPORTS = {"mcp", "anthropic", "dbos", "temporalio", "faststream"}


def wait_for(path: Path, process: subprocess.Popen[bytes]) -> None:
    while not path.exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)


def on_terminal(*arguments: str | Path, **variables: str) -> str:
    """What a person sees: standard output and error on one terminal."""
    ours, theirs = pty.openpty()
    process = start(*arguments, stdout=theirs, stderr=theirs, env=environment(TERM="xterm", **variables))
    os.close(theirs)
    seen = b""
    try:
        while chunk := os.read(ours, 65536):
            seen += chunk
    except OSError:  # Linux's way to say that the other end is closed
        pass
    finally:
        os.close(ours)
        process.wait(timeout=60)
    return seen.decode()


def test_ctrl_c_prints_what_is_known(spec: Spec, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    path = spec(f"toy: car\nwaits: {begun}\n")
    process = start("toy", path, "--format", "json", "--out", tmp_path / "made")
    wait_for(begun, process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err == b"halfopen: interrupted: what follows is what was known by then. Nothing was written.\n"
    verdict = Report.model_validate_json(out).verdicts[0]
    assert (verdict.outcome, verdict.explored.bound) == (Outcome.INCOMPLETE, "Ctrl-C")
    assert not (tmp_path / "made").exists()


def test_a_second_ctrl_c_ends_at_once(spec: Spec, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    process = start("toy", spec(f"toy: car\nwaits: {begun}\nstubborn: true\n"))
    wait_for(begun, process)
    process.send_signal(signal.SIGINT)
    wait_for(tmp_path / "begun.heard", process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err.strip()) == (130, b"", b"halfopen: interrupted.")


def test_a_reader_that_goes_away_is_no_fault(spec: Spec) -> None:
    # Far more than a pipe holds, so that writing meets the closed end.
    path = spec("toy: car\nparts:\n" + "  - {name: wheel, weight: 10}\n" * 2000)
    process = start("toy", path)
    assert process.stdout
    assert process.stdout.readline() == b"FAIL  car: 2000 parts\n"
    process.stdout.close()
    assert process.stderr
    assert process.stderr.read() == b""
    assert process.wait(timeout=60) == 141
    process.stderr.close()


def test_colours_and_progress_belong_on_a_terminal(spec: Spec) -> None:
    path = spec(HEAVY)
    assert "\x1b[31m\x1b[1mFAIL" in on_terminal("toy", path)
    assert "\x1b" not in on_terminal("toy", path, NO_COLOR="1")
    process = start("toy", path)
    out, err = process.communicate(timeout=60)
    assert b"\x1b" not in out
    assert err == b""


def test_progress_shows_on_a_long_run(spec: Spec, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    ours, theirs = pty.openpty()
    process = start("toy", spec(f"toy: car\nwaits: {begun}\n"), "--quiet", stderr=theirs)
    quiet = start("toy", spec(f"toy: car\nwaits: {begun}\n"), stderr=theirs)
    os.close(theirs)
    seen = os.read(ours, 200).decode()
    for each in (process, quiet):
        each.send_signal(signal.SIGINT)
        each.communicate(timeout=60)
    os.close(ours)
    assert "2 screws turned" in seen


def test_a_spec_cannot_command_the_terminal(spec: Spec) -> None:
    path = spec('toy: "\\e[2Jcar\\x07 \\u202Egnp"\n')
    seen = on_terminal("toy", path, NO_COLOR="1")
    assert "\\x1b[2Jcar\\x07 \\u202egnp: 0 parts" in seen
    bad = on_terminal("toy", spec('"\\e[2Jtoy": 1\n'), NO_COLOR="1")
    assert "\x1b" not in bad


def test_a_poor_encoding_is_no_fault(spec: Spec) -> None:
    path = spec("toy: cär中\n")
    poor = environment(PYTHONIOENCODING="latin-1")
    out, err = start("toy", path, "-q", env=poor).communicate(timeout=60)
    assert (out, err) == (b"PASS  c\xe4r\\u4e2d: 0 parts\n", b"")
    out, err = start("toy", path, "--format", "json", env=poor).communicate(timeout=60)
    assert Report.model_validate_json(out).summary == "cär中: 0 parts"


def test_an_endless_input_is_refused() -> None:
    process = start("toy", "/dev/zero")
    assert process.communicate(timeout=60) == (b"", b"halfopen: /dev/zero: is larger than 1,048,576 bytes.\n")
    assert process.returncode == 2


def imported(*arguments: str | Path) -> set[str]:
    """The names of everything that was imported by the end of such a run."""
    code = "import atexit, sys\natexit.register(lambda: print('\\n'.join(sys.modules), file=sys.stderr))\n"
    if arguments[0] == "toy":
        code += "from halfopen.registry import MODULES\nMODULES['toy'] = 'tests.cli.toy'\n"
    code += "from halfopen_server.cli import main\nmain()\n"
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stderr.split())


def test_a_run_imports_no_engine_and_no_server(spec: Spec, tmp_path: Path) -> None:
    names = imported("toy", spec(LIGHT), "--out", tmp_path / "made")
    assert "yaml" in names
    assert not names & HEAVY_IMPORTS


def test_a_saga_imports_no_engine_and_no_server() -> None:
    names = imported("saga", ROOT / "examples" / "checkout.saga.yaml", "--target", "temporal")
    assert "halfopen_generators.saga" in names
    assert not names & HEAVY_IMPORTS


def test_the_version_costs_next_to_nothing() -> None:
    names = imported("--version")
    assert "click" in names
    assert not names & {*HEAVY_IMPORTS, "pydantic", "ruamel.yaml", "jinja2", "networkx", "halfopen.registry"}


def test_the_console_script_is_the_same_program() -> None:
    script = Path(sys.executable).with_name("halfopen")
    done = subprocess.run([script, "--version"], capture_output=True, text=True, timeout=60, check=False, cwd="/")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("halfopen 0.")
    assert ROOT.joinpath("pyproject.toml").is_file()


@pytest.mark.parametrize("arguments", [(), ("--help",)])
def test_help_names_every_command(arguments: tuple[str, ...]) -> None:
    process = start(*arguments)
    out, err = process.communicate(timeout=60)
    assert process.returncode == (0 if arguments else 2)
    told = (out or err).decode()
    for command in ("toy ", "check ", "explain ", "schema ", "doctor ", "mcp "):
        assert f"\n  {command}" in told
    assert "130  interrupted by Ctrl-C" in told
