"""The pictures say what was simulated, stand alone, and are the same bytes whoever draws them."""

from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from halfopen.vocabulary import Artifact
from halfopen_generators.breaker.plots import COURSE, GOODPUT, LOAD, plots
from halfopen_generators.breaker.simulation.study import DESIGN, Study
from tests.breaker.designed import ALL, PAYMENT, policy, studied
from tests.golden_folder import by_hash_seed

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def drawn() -> dict[str, Artifact]:
    return {artifact.path: artifact for artifact in plots(policy(PAYMENT), studied(PAYMENT))}


def parsed(text: str) -> ET.Element:
    return ET.fromstring(text)  # noqa: S314 - it is our own


def bars(text: str) -> list[list[float]]:
    """The heights of the bars of each policy, in pixels."""
    root = parsed(text)
    groups = (group for group in root.iter(f"{SVG}g") if group.get("class") == "bars")
    return [[float(rect.get("height", "nan")) for rect in group.iter(f"{SVG}rect")] for group in groups]


def test_there_are_three(drawn: dict[str, Artifact]) -> None:
    assert list(drawn) == [GOODPUT, LOAD, COURSE]
    assert {artifact.media_type for artifact in drawn.values()} == {"image/svg+xml"}


@pytest.mark.parametrize("path", [GOODPUT, LOAD, COURSE])
def test_a_picture_stands_alone(path: str, drawn: dict[str, Artifact]) -> None:
    root = parsed(drawn[path].text)
    assert {node.tag for node in root.iter()} & {f"{SVG}script", f"{SVG}desc"} == set()
    assert not any(name.endswith("href") for node in root.iter() for name in node.attrib)
    assert "<!--" not in drawn[path].text
    assert "@import" not in drawn[path].text


def test_bars_are_as_high_as_what_was_measured(drawn: dict[str, Artifact]) -> None:
    study = studied(PAYMENT)
    for path, of in ((GOODPUT, lambda one: one.goodput), (LOAD, lambda one: one.amplification)):
        heights = bars(drawn[path].text)
        wanted = [[study.cells[name, played].mean(of).value for name in study.troubles] for played in study.played]
        assert [len(row) for row in heights] == [len(row) for row in wanted]
        # One scale for all; goodput of nothing but a rounding is no bar at all.
        scale = heights[0][0] / wanted[0][0]
        assert [height for row in heights for height in row] == pytest.approx(
            [value * scale for row in wanted for value in row], abs=0.1
        )


def test_an_interval_stays_where_values_can_be(drawn: dict[str, Artifact]) -> None:
    whiskers = [group for group in parsed(drawn[GOODPUT].text).iter(f"{SVG}g") if group.get("class") == "ci"]
    paths = [path.get("d", "") for group in whiskers for path in group]
    heights = [float(height) for path in paths for height in re.findall(r" (-?[0-9.]+)", path)]
    assert len(whiskers) == 32
    assert min(heights) > 0  # the top of the plot is at 0, a little above 100 %


def test_the_course_begins_well_and_shows_the_outage(drawn: dict[str, Artifact]) -> None:
    root = parsed(drawn[COURSE].text)
    lines = [path.get("d", "") for path in root.iter(f"{SVG}path") if "line" in (path.get("class") or "")]
    steps = len(studied(PAYMENT).cells["outage", DESIGN].outcomes[0].course.came)
    assert [line.count(" ") // 2 + 1 for line in lines if line.count(" ") > 20] == [steps] * 4


def test_what_was_not_simulated_is_not_drawn() -> None:
    study = studied(PAYMENT)
    some = {place: cell for place, cell in study.cells.items() if place in (("errors", "nothing"), ("leak", DESIGN))}
    cut = replace(study, cells=some)
    found = {artifact.path: artifact.text for artifact in plots(policy(PAYMENT), cut)}
    assert list(found) == [GOODPUT, LOAD]
    assert "slow leak" in found[GOODPUT]
    assert "hard outage" not in found[GOODPUT]
    assert list(plots(policy(PAYMENT), replace(study, cells={}))) == []


def test_the_innermost_call_is_named() -> None:
    study: Study = studied(ALL, seeds=1)
    found = {artifact.path: artifact.text for artifact in plots(policy(ALL), study)}
    assert "Calls of catalog to pricing" in found[GOODPUT]


def bytes_of_all() -> str:
    return "".join(artifact.text for artifact in plots(policy(PAYMENT), studied(PAYMENT, 1)))


def test_bytes_are_the_same_in_any_process() -> None:
    assert by_hash_seed("tests.breaker.test_plots", "bytes_of_all()") == {bytes_of_all()}
