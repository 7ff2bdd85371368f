"""The pages say what was designed and simulated, and conclude nothing that the runs don't bear."""

from __future__ import annotations

import importlib.util
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from halfopen.registry import Judged
from halfopen.vocabulary import Check, Evidence, Finding, Severity, Status
from halfopen_generators.breaker import plots
from halfopen_generators.breaker.conclusions import above, conclusion, goodput, recovered, spelled
from halfopen_generators.breaker.pages import pages
from halfopen_generators.breaker.pictures import chain, layers
from halfopen_generators.breaker.plan import Upstream
from halfopen_generators.breaker.simulation.measures import Course, Outcome
from halfopen_generators.breaker.simulation.study import DESIGN, Cell, Mean, Played, Study
from tests.breaker.designed import ALL, PAYMENT, changed, policy, studied
from tests.golden_folder import by_hash_seed
from tests.oracles import require

JUDGED = Judged(
    summary="One finding.",
    findings=(
        Finding(code="CBR01", severity=Severity.WARNING, title="a title", message="What is wrong.", fix="write `x`",
                evidence=(Evidence(path="breaker.size"),)),
    ),
    checks=(Check(name="alerts", tool="promtool", version="2", status=Status.PASSED, detail="2 files | all"),),
)  # fmt: skip
FILES = (plots.GOODPUT, plots.COURSE, "resilience4j/application.yml", "payment-charge-card.breaker.yaml")


def written(text: str, study: Study | None) -> dict[str, str]:
    return {artifact.path: artifact.text for artifact in pages(policy(text), JUDGED, study, FILES)}


@pytest.fixture(scope="module")
def page() -> str:
    return written(PAYMENT, studied(PAYMENT))["POLICY.md"]


def outcome(good: float, *, p99: float = 1.0, tries: float = 1.0, again: float | None = 2.0) -> Outcome:
    return Outcome(good, 0.1, p99, tries, 3.0, 0, again, 30.0, Course(1.0, (1,), (1,)))


def study_of(**cells: tuple[Outcome, ...]) -> Study:
    """One trouble, with these outcomes by the first word of the policy's name."""
    real = studied(PAYMENT)
    found: dict[tuple[str, Played], Cell] = {
        ("outage", played): Cell(cells[played.split()[-1]])
        for played in real.played
        if played.split()[-1] in cells
    }  # fmt: skip
    return replace(real, cells=found)


def rows(page: str, heading: str) -> list[list[str]]:
    """The cells of the table under that heading."""
    part = page.split(f"### {heading}")[1].split("\n### ", maxsplit=1)[0].split("\n## ", maxsplit=1)[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in part.splitlines() if line[:1] == "|"][2:]


def test_each_trouble_has_a_row_for_each_policy(page: str) -> None:
    study = studied(PAYMENT)
    for trouble in study.troubles.values():
        found = rows(page, trouble.title.capitalize())
        assert [row[0] for row in found] == ["no policy", "retries only", "the usual figures", "**the design**"]
        assert all(len(row) == 7 for row in found)
    assert "inf" not in page.replace("infinite", "")
    assert "nan" not in page


def test_a_row_says_what_was_measured(page: str) -> None:
    cell = studied(PAYMENT).cells["outage", DESIGN]
    row = rows(page, "Hard outage")[-1]
    assert float(row[1].split(" ")[0].rstrip("%")) == pytest.approx(100 * cell.mean(goodput).value, abs=0.6)
    assert row[5] == "0"
    assert row[6] == f"{sum(one.recovered or 0 for one in cell.outcomes) / 2:.2g} s"
    assert rows(page, "Hard outage")[1][6] == f"not within {cell.outcomes[0].watched:g} s"


def test_plots_are_shown_where_there_are_any(page: str) -> None:
    assert f"]({plots.GOODPUT})" in page
    assert f"]({plots.LOAD})" not in page  # no such file


def test_findings_checks_and_files_are_told(page: str) -> None:
    assert "### CBR01 a title" in page
    assert "Mend it: write `x`" in page
    assert "| alerts | promtool 2 | passed | 2 files \\| all |" in page
    assert "- `resilience4j/application.yml` the policy for resilience4j" in page
    assert "- `payment-charge-card.breaker.yaml` the spec as it was checked" in page


def test_the_policy_is_told_call_by_call() -> None:
    page = written(ALL, None)["POLICY.md"]
    assert "### shop calls FindBooks of catalog" in page
    figures = {row[0]: row[1] for row in rows(page, "catalog calls GetPrice of pricing")}
    assert figures["Retries"] == "none"
    assert figures["Breaker stays open for"] == "30s"
    outer = {row[0]: row[1:] for row in rows(page, "shop calls FindBooks of catalog")}
    assert outer["Rate limit"][0] == "50/s an instance"
    assert outer["or were slow"][0] == "50% slower than 140ms"
    assert outer["While it's open"] == ["cache", "The spec asks for it."]


def test_who_plays_what_names_only_what_there_is(page: str) -> None:
    part = page.split("## Who plays what")[1]
    assert "| resilience4j | library | retry, breaker, bulkhead, timeout |" in part
    assert "| grpc | channel | timeout |" in part


def test_nothing_is_said_of_what_was_not_simulated() -> None:
    found = written(PAYMENT, None)
    assert "Nothing was simulated" in found["POLICY.md"]
    assert "The design answers" not in found["POLICY.md"]
    assert "simulated troubles" not in found["DECISION.md"]


def test_a_simulation_that_was_cancelled_tells_what_there_is() -> None:
    study = studied(PAYMENT)
    kept = {place: cell for place, cell in study.cells.items() if place[0] == "outage" and place[1] != DESIGN}
    page = written(PAYMENT, replace(study, cells=kept))["POLICY.md"]
    assert [row[0] for row in rows(page, "Hard outage")] == ["no policy", "retries only", "the usual figures"]
    assert "The simulation was cancelled before the design's turn." in page
    assert "### Brownout" not in page
    assert "Nothing was simulated" in written(PAYMENT, replace(study, cells={}))["POLICY.md"]


def test_the_experiment_is_named_where_there_is_one(page: str) -> None:
    assert "EXPERIMENT.md" not in page
    files = (*FILES, "experiment/EXPERIMENT.md")
    told = next(iter(pages(policy(PAYMENT), JUDGED, studied(PAYMENT), files))).text
    assert "`experiment/EXPERIMENT.md` says what to try in staging" in told


def test_assumptions_are_told(page: str) -> None:
    assert "capacity taken to be 300/s" in page
    assert "A simulation is no proof." in page
    measured = changed(PAYMENT, capacity="900/s", traffic={"rate": "200/s", "quiet_rate": "9/s", "instances": 6})
    assert "taken to be" not in written(measured, studied(PAYMENT))["POLICY.md"]


def test_the_decision_has_its_parts() -> None:
    text = written(PAYMENT, studied(PAYMENT))["DECISION.md"]
    headings = [line for line in text.splitlines() if line.startswith("## ")]
    assert headings == ["## Status", "## Context", "## Decision", "## Alternatives", "## Consequences"]
    assert "- **timeout**: 900ms." in text
    assert "Not known, and taken to be 300/s: capacity." in text
    better, worse = text.split("What gets worse")
    assert "clearly more calls well than retries only" in better
    assert "0.1% of the tries of a healthy payment are cut off by the timeout." in worse
    # A usual figure that comes out as the choice is no alternative.
    assert "| breaker.size |" not in text


def test_a_sentence_says_what_is_better_and_at_what_cost() -> None:
    study = study_of(
        nothing=(outcome(0.9, p99=9.0), outcome(0.91, p99=9.1)),
        only=(outcome(0.1, p99=math.inf, again=None), outcome(0.11, p99=math.inf, again=None)),
        figures=(outcome(0.2, tries=0.5), outcome(0.9, tries=0.6)),
        design=(outcome(0.6, tries=0.7), outcome(0.61, tries=0.71)),
    )
    assert conclusion(study, "outage") == snapshot(
        "The design answers more calls well than retries only and fewer than no policy; against the usual figures the "
        "runs show no clear difference in calls answered well, but with no policy callers wait longer and more tries "
        "reach the dependency. With retries only no run was well again within 30 s; with the design all."
    )


def test_one_run_bears_no_conclusion() -> None:
    study = study_of(nothing=(outcome(0.1),), design=(outcome(0.9),))
    assert conclusion(study, "outage") == "Too few runs for an interval: nothing is concluded."
    assert "cancelled" in conclusion(study_of(nothing=(outcome(0.1),)), "outage")


shares = st.lists(st.floats(0, 1), min_size=2, max_size=5)


@given(one=shares, other=shares)
def test_better_is_said_of_intervals_apart_only(one: list[float], other: list[float]) -> None:
    cells = Cell(tuple(map(outcome, one))), Cell(tuple(map(outcome, other)))
    means = [cell.mean(goodput) for cell in cells]
    apart = means[0].value - means[0].half > means[1].value + means[1].half
    assert above(cells[0], cells[1], goodput) == apart
    assert not (above(cells[0], cells[1], goodput) and above(cells[1], cells[0], goodput))
    text = conclusion(study_of(nothing=cells[1].outcomes, design=cells[0].outcomes), "outage")
    assert ("more calls well than no policy" in text) == apart


def test_who_never_answers_is_slower_only_if_in_every_run() -> None:
    def of(one: Outcome) -> float:
        return one.p99

    never = Cell((outcome(1, p99=math.inf), outcome(1, p99=math.inf)))
    once = Cell((outcome(1, p99=math.inf), outcome(1, p99=1.0)))
    always = Cell((outcome(1, p99=2.0), outcome(1, p99=2.1)))
    assert above(never, always, of)
    assert not above(once, always, of)
    assert not above(always, never, of)


@pytest.mark.parametrize(
    ("mean", "text"),
    [
        (Mean(0.6364, 0.0061), "63.6 ± 0.6%"), (Mean(13.0, 1e-15), "1300%"), (Mean(1.0, 0.0), "100%"),
        (Mean(0.0, 0.0), "0.00%"), (Mean(math.inf, 0.0), "not answered"), (Mean(0.217, 0.3), "22 ± 30%"),
        (Mean(0.9996, 0.0004), "99.96 ± 0.04%"),
    ],
)  # fmt: skip
def test_a_mean_has_the_digits_that_its_interval_bears(mean: Mean, text: str) -> None:
    assert spelled(mean, scale=100, unit="%") == text


def test_a_recovery_that_few_runs_saw_says_so() -> None:
    assert recovered(Cell((outcome(1, again=4.0), outcome(1, again=None)))) == "4 s in 1 of 2 runs"
    assert recovered(Cell((outcome(1, again=0.0),))) == "at once"
    assert recovered(Cell((outcome(1, again=None),))) == "not within 30 s"


@pytest.mark.oracle
@pytest.mark.parametrize("text", [PAYMENT, ALL])
def test_the_pictures_are_mermaid(text: str) -> None:
    require("mermaidx", available=importlib.util.find_spec("mermaidx") is not None, how_to_get="pip install mermaidx")
    import mermaidx

    designed = policy(text)
    odd = Upstream('a "b" | <c>', "shop", None, 3, "services.x.calls[0]", "architecture.yaml", 3)
    for diagram in (chain(replace(designed, upstream=(odd,))), *map(layers, designed.calls)):
        assert "<svg" in mermaidx.render(diagram).svg()


def bytes_of_all() -> str:
    study = studied(PAYMENT, 1)
    return "".join(artifact.text for artifact in pages(policy(PAYMENT), JUDGED, study, FILES))


def test_bytes_are_the_same_in_any_process() -> None:
    assert by_hash_seed("tests.breaker.test_pages", "bytes_of_all()") == {bytes_of_all()}
