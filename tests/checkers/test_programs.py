from __future__ import annotations

import sys
from pathlib import Path

import pytest

from halfopen.checkers import programs
from halfopen.checkers.programs import Program, Ran
from halfopen.vocabulary import Status

GOOD = """syntax = "proto3";
package a.v1;
import "google/protobuf/timestamp.proto";
message A { google.protobuf.Timestamp at = 1; }
"""
BUF_YAML = "version: v2\nmodules:\n  - path: proto\nlint:\n  use: [STANDARD]\n"


def python(folder: Path, code: str, *, stdin: str = "", timeout: float = 30.0) -> Ran:
    return programs.run(Path(sys.executable), ["-c", code], folder=folder, stdin=stdin, timeout=timeout)


def test_a_run_gets_its_text_by_stdin_and_a_home_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "hidden")
    code = "import os,sys; print(sys.stdin.read(), os.environ.get('SECRET_TOKEN'), os.environ['HOME'] != '/root')"
    assert python(tmp_path, code, stdin="$(touch here)") == Ran(0, "$(touch here) None True\n", "")
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_hangs_is_ended(tmp_path: Path) -> None:
    assert python(tmp_path, "import time; time.sleep(600)", timeout=0.5) == Ran(None, "", "no answer within 0.5 s")


def test_a_run_that_cant_be_started_says_so(tmp_path: Path) -> None:
    ran = programs.run(tmp_path / "none", [], folder=tmp_path)
    assert (ran.status, ran.stderr) == (None, "could not be started: No such file or directory")


def test_a_missing_program_gives_a_skipped_check_that_says_how_to_get_it() -> None:
    answer = programs.check("x", Program("no-such-tool", "get it there"), (), texts={}, looked_at="nothing")
    assert (answer.status, answer.version) == (Status.SKIPPED, "none")
    assert answer.detail == "no-such-tool is not installed: get it there."


@pytest.mark.parametrize("path", ["/etc/x", "../x", "a/../../x"])
def test_texts_stay_in_their_folder(path: str) -> None:
    with pytest.raises(ValueError, match="leads out of the folder"), programs.written({path: ""}):
        pass


def test_buf_passes_and_fails_with_its_version_and_without_a_temporary_path() -> None:
    def answer(text: str) -> tuple[Status, str, str]:
        texts = {"buf.yaml": BUF_YAML, "proto/a/v1/a.proto": text}
        found = programs.check("lint", programs.BUF, ("lint",), texts=texts, looked_at="1 file")
        return found.status, found.version, found.detail

    assert answer(GOOD) == (Status.PASSED, programs.version_of(programs.BUF), "1 file")
    status, version, detail = answer(GOOD.replace("message A", "message a"))
    assert (status, version[:2]) == (Status.FAILED, "1.")
    assert detail.startswith('proto/a/v1/a.proto:4:9:Message name "a" should be PascalCase')


def test_the_protobuf_compiler_tells_place_and_fault() -> None:
    good = programs.compile_protos("compile", "proto", {"proto/a/v1/a.proto": GOOD}, looked_at="1 file")
    assert (good.status, good.detail) == (Status.PASSED, "1 file")
    bad = GOOD.replace("google.protobuf.Timestamp at", "Nothing at")
    answer = programs.compile_protos("compile", "proto", {"proto/a/v1/a.proto": bad}, looked_at="1 file")
    assert answer.status == Status.FAILED
    assert 'proto/a/v1/a.proto:4:13: "Nothing" is not defined.' in answer.detail


def test_a_judge_may_read_what_was_printed() -> None:
    def never_content(ran: Ran) -> str | None:
        return f"it printed {len(ran.stdout.splitlines())} lines"

    answer = programs.check("x", programs.BUF, ("--version",), texts={}, looked_at="nothing", judge=never_content)
    assert (answer.status, answer.detail) == (Status.FAILED, "it printed 1 lines")
