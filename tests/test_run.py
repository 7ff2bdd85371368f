"""The composer: from a source to a report, whatever the capability."""

from __future__ import annotations

from dataclasses import replace

import pytest

from halfopen.progress import Silent
from halfopen.registry import Options
from halfopen.run import run
from halfopen.source import BadInput, Source, parse_source
from halfopen.vocabulary import Artifact, Evidence, ReportOutcome
from tests.cli.conftest import HEAVY, LIGHT, MEDIUM
from tests.cli.toy import ToyOptions, ToySpec, capability


@pytest.mark.parametrize(
    ("text", "outcome"), [(LIGHT, ReportOutcome.PASS), (MEDIUM, ReportOutcome.WARN), (HEAVY, ReportOutcome.FAIL)]
)
def test_the_outcome_follows_from_what_was_found(text: str, outcome: ReportOutcome) -> None:
    assert run(capability, parse_source(text), ToyOptions(), Silent()).outcome is outcome


def test_the_report_holds_what_each_part_says_in_order() -> None:
    source = parse_source(HEAVY, "car.toy.yaml")
    report = run(capability, source, ToyOptions(copies=3), Silent())
    assert report.summary == "car: 2 parts"
    assert [artifact.path for artifact in report.artifacts] == ["docs/0/car.md", "docs/1/car.md", "docs/2/car.md"]
    assert [decision.about for decision in report.decisions] == ["colour"]
    assert [check.name for check in report.checks] == ["scales"]
    assert [verdict.property for verdict in report.verdicts] == ["can be lifted"]
    assert [obligation.guarantee for obligation in report.obligations] == ["is strong", "is tall"]
    assert report.findings[0].evidence == (Evidence(path="parts[1].weight", file="car.toy.yaml", line=4),)


def test_the_same_input_gives_the_same_bytes() -> None:
    source = parse_source(HEAVY, "car.toy.yaml")
    first, second = (run(capability, source, ToyOptions(), Silent()).model_dump_json() for _ in range(2))
    assert first == second


def test_bad_input_is_refused_before_anything_is_designed() -> None:
    def design(spec: ToySpec, source: Source, options: Options) -> ToySpec:  # noqa: ARG001
        pytest.fail("it was designed")

    with pytest.raises(BadInput, match="unknown key"):
        run(replace(capability, design=design), parse_source("toy: car\nprats: []"), ToyOptions(), Silent())


def test_two_artifacts_of_one_path_are_a_fault_of_the_capability() -> None:
    twice = (
        Artifact(path="a", media_type="text/plain", text="1"),
        Artifact(path="a", media_type="text/plain", text="2"),
    )
    doubled = replace(capability, render=lambda *_: twice)
    with pytest.raises(ValueError, match="toy renders a twice"):
        run(doubled, parse_source(LIGHT), ToyOptions(), Silent())
