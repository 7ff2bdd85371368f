"""The pages: the checked spec reads back as the same design, diagrams are Mermaid, cells can't break a table."""

from __future__ import annotations

import dataclasses
import importlib.util
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inline_snapshot import snapshot

from halfopen.durations import spell_duration
from halfopen.registry import Judged, Options
from halfopen.source import parse_source, read_source, validate
from halfopen.vocabulary import Counterexample, Evidence, Explored, Finding, Obligation, Outcome, Severity, Verdict
from halfopen_generators.saga import diagrams, pages
from halfopen_generators.saga.checked_spec import checked_spec
from halfopen_generators.saga.choreography_scenario import choreography_scenarios
from halfopen_generators.saga.design import design
from halfopen_generators.saga.plan import SagaDesign
from halfopen_generators.saga.spec import SagaSpec
from tests.oracles import require

EXAMPLES = Path(__file__).parents[2] / "examples"

# Every key of the format, each with a value that is not its default.
EVERYTHING = """
saga: everything
description: "Odd: # characters, 'quotes' and a\\nsecond line"
trigger: Go
style: event-sourced
correlation_key: trip_id
deadline: 90s
visibility: optional
services:
  a: {team: red, deduplicates: true, refuses_late_actions: false, accepts_empty_compensation: true}
  b: {external: true, publishes_atomically: true}
  c:
steps:
  - name: first
    service: a
    action: ReserveSeat
    compensation: {action: FreeSeat, can_be_refused: true, idempotent: true}
    kind: compensatable
    can_be_refused: true
    timeout: 1500ms
    retry: {attempts: 2, backoff: 1.3ms, factor: 1.5, max_backoff: 1h, jitter: none}
    reads: [seat, price]
    writes: seat
    countermeasures: {seat: version-file}
    request: {seat_id: string}
    reply: {held: bool}
  - {name: second, service: b, action: LookAround, read_only: true, after: [], idempotent: true}
  - {name: third, service: c, action: Decide, after: [first, second], can_be_refused: true}
  - {name: fourth, service: c, action: SendMail, irreversible: true, after: third}
faults: {refusals: false, lost_messages: 2, duplicated_messages: 0, late_messages: false, crashes: 3}
instances: 3
"""

# Names that are words of Mermaid or of YAML.
RESERVED = ["end", "loop", "par", "alt", "note", "state", "participant", "direction", "as", "true", "null", "Yes"]


def designed(text: str, file: str | None = None) -> SagaDesign:
    source = parse_source(text, file)
    return design(validate(SagaSpec, source), source, Options())


def undecided(found: SagaDesign) -> SagaDesign:
    return dataclasses.replace(found, decisions=())


def example(name: str) -> SagaDesign:
    source = read_source(EXAMPLES / name)
    return design(validate(SagaSpec, source), source, Options())


@pytest.mark.parametrize("name", ["checkout.saga.yaml", "checkout-choreography.saga.yaml"])
def test_checked_example_reads_back_as_the_same_design(name: str) -> None:
    found = example(name)
    assert undecided(designed(checked_spec(found))) == undecided(found)


def test_checked_spec_keeps_every_key() -> None:
    found = designed(EVERYTHING)
    again = designed(checked_spec(found))
    assert undecided(again) == undecided(found)
    marked = [line for line in checked_spec(again).splitlines() if line.endswith("# decided")]
    # Nothing is left to decide, but that a try without end has no spelling.
    assert all("retry: {backoff:" in line for line in marked)


def test_checked_spec_marks_what_was_decided() -> None:
    text = checked_spec(designed("saga: s\nsteps: [{name: a, service: x, action: ReserveSeat, kind: compensatable}]\n"))
    marked = [line.split(":")[0].strip() for line in text.splitlines() if line.endswith("# decided")]
    assert marked == snapshot(["trigger", "correlation_key", "compensation", "timeout", "retry"])


def step_names() -> st.SearchStrategy[list[str]]:
    names = st.one_of(st.sampled_from(RESERVED), st.from_regex(r"\A[a-z][a-z0-9-]{0,5}\Z"))
    return st.lists(
        names, min_size=1, max_size=6, unique_by=lambda name: name.lower().replace("-", "").replace("_", "")
    )


@st.composite
def sagas(draw: st.DrawFn) -> str:
    """Spec text, in flow style: any shape of dependencies, kinds left out or given, either style."""
    names = draw(step_names())
    steps = []
    for index, name in enumerate(names):
        keys = [f'name: "{name}"', f"service: {draw(st.sampled_from(['x', 'end', 'y']))}", f"action: Do{index}"]
        changes_nothing = draw(st.booleans())
        if not changes_nothing and draw(st.booleans()):
            keys.append(f"compensation: Undo{index}")
        others = ["can_be_refused", "idempotent", "read_only" if changes_nothing else "irreversible"]
        flags = draw(st.sets(st.sampled_from(others)))
        keys.extend(f"{flag}: true" for flag in sorted(flags))
        kind = draw(st.sampled_from([None, None, "compensatable", "pivot", "retriable"]))
        keys.extend([f"kind: {kind}"] if kind else [])
        if draw(st.booleans()):
            after = draw(st.lists(st.sampled_from(names[:index]), unique=True)) if index else []
            keys.append("after: [" + ", ".join(f'"{other}"' for other in after) + "]")
        if draw(st.booleans()):
            keys.append(f"retry: {{attempts: {draw(st.integers(1, 9))}, backoff: {draw(st.integers(1, 9))}ms}}")
        steps.append("{" + ", ".join(keys) + "}")
    style = draw(st.sampled_from(["", "style: choreography\n", "style: orchestration\n"]))
    return f"saga: s\n{style}steps:\n" + "".join(f"  - {step}\n" for step in steps)


@settings(deadline=None)
@given(sagas())
def test_any_checked_spec_reads_back_as_the_same_design(text: str) -> None:
    found = designed(text)
    assert undecided(designed(checked_spec(found))) == undecided(found)


@given(st.floats(min_value=1e-3, max_value=3e7))
def test_any_duration_reads_back_as_itself(seconds: float) -> None:
    found = designed(f"saga: s\ndeadline: {spell_duration(seconds)}\nsteps: [{{name: a, service: x, action: A}}]\n")
    assert found.deadline == seconds


def test_durations_are_spelt_as_people_write_them() -> None:
    assert [spell_duration(value) for value in (0.2, 1.5, 2.0, 90.0, 300.0, 7200.0)] == snapshot(
        ["200ms", "1500ms", "2s", "90s", "5m", "2h"]
    )


def judged() -> Judged:
    """One of everything that a check can say, with text that a careless table would break on."""
    explored = Explored(states=1234, transitions=5678, depth=9)
    run = Counterexample(sentences=("First.", "Second."), diagram="sequenceDiagram\n    a->>b: c", replayed=False)
    finding = Finding(
        code="SAG06",
        severity=Severity.ERROR,
        title="late action",
        message="It came late.",
        evidence=(Evidence(path="steps[0]"),),
        fix="Refuse it.",
        counterexample=run,
    )
    return Judged(
        "One property is violated.",
        findings=(finding,),
        obligations=(
            Obligation(on="x", guarantee="deduplicates", provided_by="code", needed=None, because="a | b\nc"),
        ),
        verdicts=(
            Verdict(property="Ends", outcome=Outcome.HOLDS, explored=explored),
            Verdict(
                property="No effect twice",
                outcome=Outcome.INCOMPLETE,
                explored=explored.model_copy(update={"bound": "10 s"}),
            ),
        ),
    )


def page(found: SagaDesign, said: Judged) -> str:
    failures = (
        pages.orchestrated_failures(found)
        if found.orchestrated
        else pages.choreographed_failures(found, choreography_scenarios(found))
    )
    return pages.design_page(found, said, failures, "dbos", ["a.sql"]).text


@settings(deadline=None)
@given(sagas())
def test_any_saga_has_a_page_with_three_diagrams(text: str) -> None:
    found = designed(text)
    written = page(found, Judged("Said."))
    assert written.count("```mermaid\n") == 3
    assert all(step.action in written for step in found.steps)


def test_the_page_says_what_was_found_and_how_much_was_looked_at() -> None:
    text = page(example("checkout.saga.yaml"), judged())
    assert "### SAG06 late action" in text
    assert "1. First.\n2. Second.\n" in text
    assert "could not be replayed" in text
    assert "| Ends | holds | 1,234 | 5,678 | 9 | every state |" in text
    assert "| No effect twice | incomplete | 1,234 | 5,678 | 9 | 10 s |" in text
    assert "| x | deduplicates | code | not known | a \\| b c |" in text
    assert "Nothing was found" not in text


def test_a_clean_page_says_that_nothing_was_found() -> None:
    text = page(example("checkout.saga.yaml"), Judged("Every property holds."))
    assert "Nothing was found." in text
    assert "Nothing was explored." in text


@pytest.mark.parametrize("style", ["orchestration", "choreography"])
def test_every_row_of_a_table_is_as_wide_as_its_head(style: str) -> None:
    text = page(designed(EVERYTHING.replace("event-sourced", style)), judged())
    tables = [block.splitlines() for block in text.split("\n\n") if block.startswith("|")]
    assert len(tables) >= 5
    for rows in tables:
        assert len({row.replace("\\|", "").count("|") for row in rows}) == 1, rows


def test_the_record_confirms_with_counts_and_names_the_other_styles() -> None:
    text = pages.record_page(example("checkout.saga.yaml"), judged()).text
    assert "- Ends: holds (1,234 states)" in text
    assert "- No effect twice: incomplete (1,234 states, stopped at 10 s)" in text
    assert "- choreography: " in text
    assert "Chosen option: orchestration." in text


def test_the_failure_drawn_is_the_one_that_undoes_the_most() -> None:
    row = diagrams.telling_failure(example("checkout.saga.yaml"))
    assert (row.step, row.failure, row.undone) == snapshot(("charge-card", "refused", ("reserve-stock",)))


def test_the_choreographed_failure_follows_the_events() -> None:
    title, text = diagrams.failed_run(example("checkout-choreography.saga.yaml"))
    assert title == "charge-card is refused"
    assert text.splitlines()[5:] == snapshot(
        [
            "    Note over p0: ReserveStock",
            "    p0-)p1: StockReserved",
            "    Note over p1: ChargeCard is refused",
            "    p1-)p0: PaymentFailed",
            "    Note over p0: ReleaseStock",
            "    Note over p0: StockReleased, the run is cancelled",
        ]
    )


@pytest.mark.oracle
@pytest.mark.parametrize("style", ["orchestration", "choreography"])
def test_mermaid_parses_every_diagram_whatever_a_step_is_called(style: str) -> None:
    require("mermaidx", available=importlib.util.find_spec("mermaidx") is not None, how_to_get="pip install mermaidx")
    import mermaidx

    found = designed(
        f"""
        saga: end
        style: {style}
        trigger: loop
        steps:
          - {{name: end, service: end, action: end, compensation: note}}
          - {{name: par, service: alt, action: B, compensation: state, after: [end]}}
          - {{name: state, service: as, action: loop, compensation: end, after: [end], can_be_refused: true}}
          - {{name: direction, service: end, action: participant, after: [par, state], can_be_refused: true}}
          - {{name: note, service: loop, action: E}}
        """
    )
    for text in (diagrams.good_run(found), diagrams.failed_run(found)[1], diagrams.states(found)):
        assert "<svg" in mermaidx.render(text).svg()


def test_a_step_that_is_asked_until_it_answers_is_not_said_never_to_get_through() -> None:
    saga = designed(
        "saga: x\nstyle: orchestration\nsteps:\n"
        "  - {name: look, service: a, action: Look, compensation: Forget}\n"
        "  - {name: tell, service: b, action: Tell, kind: retriable}\n"
    )
    told = {row[:2]: row[3] for row in pages.orchestrated_failures(saga).rows}
    assert told["tell", "does not get through at first (tries time out)"] == "committed"
    assert told["look", "never gets through (every try times out)"] == "cancelled"
    assert ("tell", "never gets through (every try times out)") not in told
