"""A report as somebody on call reads it: the answer first, then what is wrong, then what it rests on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import click

from halfopen.vocabulary import Certainty, Outcome, ReportOutcome, Severity, Status
from halfopen_server.terminal import visible

if TYPE_CHECKING:
    from halfopen.vocabulary import Check, Decision, Explored, Finding, Obligation, Report, Verdict
    from halfopen.writing import WriteResult

Pen = Callable[..., str]

_COLOURS = {
    ReportOutcome.PASS: "green",
    ReportOutcome.WARN: "yellow",
    ReportOutcome.FAIL: "red",
    Severity.INFO: "blue",
    Severity.WARNING: "yellow",
    Severity.ERROR: "red",
    Status.PASSED: "green",
    Status.SKIPPED: "yellow",
    Status.FAILED: "red",
    Outcome.HOLDS: "green",
    Outcome.INCOMPLETE: "yellow",
    Outcome.VIOLATED: "red",
}


def pen(*, colour: bool) -> Pen:
    """What turns a text into a harmless one, coloured where colours belong."""

    def write(text: object, **style: object) -> str:
        harmless = visible(str(text))
        return click.style(harmless, **style) if colour and style else harmless  # type: ignore[arg-type]

    return write


def outcome_line(report: Report, write: Pen, about: str = "") -> str:
    """The answer in one line; `about` tells which of several it is."""
    word = write(f"{report.outcome.value.upper():<4}", fg=_COLOURS[report.outcome], bold=True)
    return f"{word}  {write(about)}{write(report.summary)}"


def what_broke(report: Report) -> list[str]:
    """A line for each error, with its place and fix; where no finding tells one, what the failed checks object to."""
    errors = [finding for finding in report.findings if finding.severity is Severity.ERROR]
    if errors:
        return [f"{each.evidence[0]}: {each.code} {each.title}. {each.message} Fix: {each.fix}" for each in errors]
    failed = (check for check in report.checks if check.status is Status.FAILED)
    return [line for check in failed for line in check.detail.splitlines()]


def report_text(report: Report, written: WriteResult | None, write: Pen) -> str:
    """The whole report but the texts of its artifacts; `written` is None if nothing was to be written."""
    worst_first = sorted(report.findings, key=lambda finding: (-finding.severity.rank, finding.code))
    sections = (
        ("findings", [line for finding in worst_first for line in _finding(finding, write)]),
        ("obligations", list(_obligations(report.obligations, write))),
        ("decisions", [_decision(decision, write) for decision in report.decisions]),
        ("checks", [_check(check, write) for check in report.checks]),
        ("verdicts", list(_verdicts(report.verdicts, write))),
        ("files", list(_files(report, written, write))),
    )
    lines = [outcome_line(report, write)]
    for title, body in sections:
        if body:
            lines += ["", write(title, bold=True), *(f"  {line}" if line else "" for line in body)]
    return "\n".join(lines)


def _finding(finding: Finding, write: Pen) -> Iterator[str]:
    word = write(finding.severity.value, fg=_COLOURS[finding.severity])
    sure = "" if finding.certainty is Certainty.PROVEN else " (a rule of thumb)"
    yield f"{word} {write(finding.code, bold=True)} {write(finding.title)}{sure}"
    for place in finding.evidence:
        yield f"  at {write(place)}"
    yield from _indented(finding.message, write)
    yield from _indented(f"fix: {finding.fix}", write)
    if finding.counterexample:
        how = "replayed within the fault bounds" if finding.counterexample.replayed else "not replayed"
        yield f"  shortest run that shows it ({how}):"
        for number, sentence in enumerate(finding.counterexample.sentences, 1):
            yield f"    {number}. {write(sentence)}"
        if finding.counterexample.test:
            yield f"  test that replays it: {write(finding.counterexample.test)}"


def _indented(text: str, write: Pen) -> Iterator[str]:
    return (f"  {write(line)}" for line in text.strip().splitlines())


def _obligations(obligations: tuple[Obligation, ...], write: Pen) -> Iterator[str]:
    counted_on = [each for each in obligations if each.needed is not False]
    for each in counted_on:
        word = "needed" if each.needed else "maybe needed"
        who = f"{write(each.on)}: {write(each.guarantee)}, provided by {write(each.provided_by)}"
        yield f"{write(word, bold=True)}  {who}. {write(each.because)}"
    if spare := len(obligations) - len(counted_on):
        yield f"{spare} more that the design is safe without"


def _decision(decision: Decision, write: Pen) -> str:
    instead = f", not {' or '.join(decision.instead_of)}" if decision.instead_of else ""
    return f"{write(decision.about)}: {write(decision.choice, bold=True)}{write(instead)}: {write(decision.because)}"


def _check(check: Check, write: Pen) -> str:
    word = write(f"{check.status.value:<7}", fg=_COLOURS[check.status])
    detail = f": {check.detail}" if check.detail else ""
    return f"{word}  {write(check.name)} ({write(check.tool)} {write(check.version)}){write(detail)}"


def _verdicts(verdicts: tuple[Verdict, ...], write: Pen) -> Iterator[str]:
    """The answers, and once for all that share them how much of the state space they rest on."""
    counts = {verdict: _counts(verdict.explored) for verdict in verdicts}
    shared = next(iter(counts.values())) if len(set(counts.values())) == 1 else None
    for verdict in verdicts:
        word = write(f"{verdict.outcome.value:<10}", fg=_COLOURS[verdict.outcome])
        notes = [counts[verdict]] if shared is None else []
        if verdict.explored.bound:
            notes.append(f"bound: {verdict.explored.bound}")
        note = f" ({'; '.join(notes)})" if notes else ""
        yield f"{word}  {write(verdict.property)}{write(note)}"
    if shared is not None:
        yield f"in {shared}"


def _counts(explored: Explored) -> str:
    return f"{explored.states:,} states, {explored.transitions:,} transitions, depth {explored.depth:,}"


def _files(report: Report, written: WriteResult | None, write: Pen) -> Iterator[str]:
    if written is None:
        if report.artifacts:
            yield f"{len(report.artifacts)}, not written: --out DIR writes them"
        return
    yield f"{len(written.written)} written to {write(written.folder)}, {len(written.unchanged)} unchanged"
    yield from (f"  {write(path)}" for path in written.written)
    if written.left_over:
        yield f"{len(written.left_over)} of an earlier run are no part of this answer and were left:"
        yield from (f"  {write(path)}" for path in written.left_over)
