"""The saga through the console script, as a user has it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from halfopen.source import read_source
from halfopen.vocabulary import Outcome, Report, ReportOutcome
from halfopen.writing import MANIFEST
from tests.cli.conftest import ROOT

EXAMPLES = ROOT / "examples"
HALFOPEN = Path(sys.executable).with_name("halfopen")


def halfopen(*arguments: str | Path, folder: Path = ROOT, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [HALFOPEN, *arguments],
        cwd=folder,
        input=stdin,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_sound_saga_passes_and_is_written(tmp_path: Path) -> None:
    result = halfopen("saga", EXAMPLES / "checkout.saga.yaml", "--out", "design", folder=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("PASS  checkout: ")
    written = {
        str(path.relative_to(tmp_path / "design")) for path in (tmp_path / "design").rglob("*") if path.is_file()
    }
    assert {"DESIGN.md", MANIFEST} <= written
    for path in written - {MANIFEST}:
        assert f"\n    {path}" in result.stdout
    again = halfopen("saga", EXAMPLES / "checkout.saga.yaml", "--out", "design", folder=tmp_path)
    assert again.stdout.splitlines()[-1] == f"  0 written to design, {len(written) - 1} unchanged"


def test_a_broken_saga_fails_with_the_shortest_run_that_breaks_it() -> None:
    result = halfopen("saga", EXAMPLES / "checkout-late-charge.saga.yaml")
    assert (result.returncode, result.stderr) == (1, "")
    assert result.stdout.startswith("FAIL  checkout: ")
    assert "error SAG06 late action accepted after its compensation" in result.stdout
    assert "      1. A run starts: " in result.stdout


def test_json_is_one_report_that_knows_its_lines() -> None:
    spec = "examples/checkout-late-charge.saga.yaml"
    result = halfopen("saga", spec, "--format", "json")
    report = Report.model_validate_json(result.stdout)
    assert report.outcome is ReportOutcome.FAIL
    assert Outcome.VIOLATED in {verdict.outcome for verdict in report.verdicts}
    for finding in report.findings:
        for evidence in finding.evidence:
            assert evidence.file == spec
            assert evidence.line
    assert halfopen("saga", spec, "--format", "json").stdout == result.stdout


def test_standard_input_gives_the_same_design() -> None:
    text = (EXAMPLES / "checkout.saga.yaml").read_text()
    report = Report.model_validate_json(halfopen("saga", "-", "--format", "json", stdin=text).stdout)
    assert (report.outcome, report.summary[:9]) == (ReportOutcome.PASS, "checkout:")


def test_the_schema_accepts_the_examples() -> None:
    schema = json.loads(halfopen("schema", "saga").stdout)
    judge = jsonschema.Draft202012Validator(schema)
    for path in EXAMPLES.glob("*.saga.yaml"):
        judge.validate(read_source(path).data)
    assert not judge.is_valid({"saga": "x", "steps": []})


def test_check_says_a_line_for_each_example() -> None:
    result = halfopen("check", "examples")
    assert result.returncode == 1
    assert {line.split()[0] for line in result.stdout.splitlines()} <= {"PASS", "WARN", "FAIL"}
    assert len(result.stdout.splitlines()) == len(list(EXAMPLES.glob("*.yaml")))


STEP = "{name: a, service: s, action: A}"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("saga: [", "x.saga.yaml:1: is not YAML"),
        ("", "x.saga.yaml: is empty"),
        (f"saga: x\nstesp: [{STEP}]\n", 'x.saga.yaml:2: stesp: unknown key "stesp"'),
        (f"saga: x\nsteps: [{STEP}]\nservices: {{s: {{extrnal: true}}}}\n", "Did you mean external? Legal: external, "),
        (f"saga: x\nsteps:\n  - {STEP}\n  - {{name: b, service: s, action: B, after: [z]}}\n", "x.saga.yaml:4: "),
        (f"saga: x\nsteps:\n  - {STEP}\n  - {STEP}\n", "x.saga.yaml:4: "),
        (
            (
                "saga: x\nsteps:\n  - {name: a, service: s, action: A, after: [b]}\n"
                "  - {name: b, service: s, action: B, after: [a]}\n"
            ),
            "x.saga.yaml:",
        ),
        ("a: &a [x, x]\n" + "".join(f"k{n}: &k{n} [{'*a, ' * 999}*a]\n" for n in range(40)), "aliases are followed"),
    ],
)
def test_bad_input_is_told_and_nothing_is_written(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "x.saga.yaml").write_text(text)
    result = halfopen("saga", "x.saga.yaml", "--out", "design", folder=tmp_path)
    assert result.returncode == 2
    assert result.stdout == ""
    assert told in result.stderr
    assert result.stderr.startswith("halfopen: x.saga.yaml")
    assert result.stderr.count("\n") == 1
    assert "Traceback" not in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["x.saga.yaml"]
