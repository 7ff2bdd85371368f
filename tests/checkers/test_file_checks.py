"""Which file is checked by what, and what is said of a search that had no time to end."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from halfopen.file_checks import FileChecks
from halfopen.progress import Progress, Silent
from halfopen.registry import FILE_CHECKERS, Judged, capabilities
from halfopen.source import MAX_BYTES, BadInput
from halfopen.vocabulary import Counterexample, Evidence, Finding, Severity
from tests.cli import toy

HEAVY = "toy: car\nparts:\n  - {name: engine, weight: 70}\n"


def test_every_capability_and_every_line_of_the_table_is_there() -> None:
    checks = FileChecks(capabilities())
    for capability in capabilities():
        for suffix in capability.file_suffixes:
            found = checks.of(f"x{suffix}")
            assert found is not None
            assert found.tool == capability.tool
    assert all(checks.of(f"x{suffix}") for suffix in FILE_CHECKERS)
    assert checks.of("x.txt") is None


def test_a_spec_is_checked_by_its_capability_under_the_name_that_was_given(tmp_path: Path) -> None:
    (tmp_path / "car.toy.yaml").write_text(HEAVY)
    report = FileChecks([toy.capability]).check(
        tmp_path / "car.toy.yaml", name="my car", root=tmp_path, progress=Silent()
    )
    assert [str(finding.evidence[0]) for finding in report.findings] == ["my car:3 (parts[0].weight)"]
    assert report.artifacts == ()


def test_what_is_no_file_to_read_is_refused(tmp_path: Path) -> None:
    checks = FileChecks([toy.capability])
    os.mkfifo(tmp_path / "pipe.toy.yaml")
    (tmp_path / "folder.proto").mkdir()
    (tmp_path / "large.proto").write_bytes(b" " * (MAX_BYTES + 1))
    (tmp_path / "x.txt").touch()
    for name, why in {
        "pipe.toy.yaml": "is no plain file",
        "folder.proto": "is no plain file",
        "large.proto": "is larger than",
        "gone.proto": "no such file",
        "x.txt": "its name doesn't say which spec it is. Legal: .toy.yaml, .toy.json, .proto.",
        f"{'x' * 300}.proto": "File name too long",
    }.items():
        with pytest.raises(BadInput, match=why):
            checks.check(tmp_path / name, name=name, root=tmp_path, progress=Silent())


def found(code: str, *, replayed: bool) -> Finding:
    run = Counterexample(sentences=("It falls.",), diagram="", replayed=replayed)
    evidence = (Evidence(path="parts"),)
    return Finding(
        code=code, severity=Severity.ERROR, title="t", message="m", evidence=evidence, fix="f", counterexample=run
    )


@pytest.mark.parametrize(
    ("findings", "outcome", "left"),
    [
        ((found("TOY01", replayed=False),), "warn", []),
        ((found("TOY01", replayed=False), found("TOY02", replayed=True)), "fail", ["TOY02"]),
        ((), "pass", []),
    ],
)
def test_what_only_the_end_of_a_search_could_confirm_is_no_error(
    tmp_path: Path, findings: tuple[Finding, ...], outcome: str, left: list[str]
) -> None:
    def check(_design: object, _options: object, progress: Progress) -> Judged:
        while not progress.cancelled():
            progress.report(1, "states")
        return Judged(summary="s", findings=findings)

    (tmp_path / "car.toy.yaml").write_text(HEAVY)
    report = FileChecks([replace(toy.capability, check=check)]).check_quickly(
        tmp_path / "car.toy.yaml", name="car", root=tmp_path, seconds=0.01, progress=Silent()
    )
    assert (report.outcome, [finding.code for finding in report.findings]) == (outcome, left)


def test_what_is_found_in_time_is_left_alone(tmp_path: Path) -> None:
    doubtful = found("TOY01", replayed=False)
    capability = replace(toy.capability, check=lambda *_: Judged(summary="s", findings=(doubtful,)))
    (tmp_path / "car.toy.yaml").write_text(HEAVY)
    report = FileChecks([capability]).check_quickly(
        tmp_path / "car.toy.yaml", name="car", root=tmp_path, seconds=600, progress=Silent()
    )
    assert [finding.code for finding in report.findings] == ["TOY01"]
