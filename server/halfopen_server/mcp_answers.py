"""What a tool replies, and the reports it can still be asked about."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from mcp_types import CallToolResult, TextContent
from pydantic import Field

from halfopen.source import BadInput
from halfopen.vocabulary import (
    Artifact,
    Check,
    Decision,
    Finding,
    Obligation,
    Report,
    ReportOutcome,
    Verdict,
    Word,
)
from halfopen.writing import WriteResult
from halfopen_server.mcp_budget import lines_within
from halfopen_server.reports import SCHEME

W = TypeVar("W", bound=Word)


class ListedArtifact(Word):
    """One file of the answer, without its text."""

    path: str = Field(description="The text is the resource at `report`, a slash, and this.")
    size: int = Field(description="In bytes.")


class Written(Word):
    """What `write_to` did."""

    folder: str
    files: int = Field(description="How many were new or different, and written.")
    unchanged: int = 0
    left_over: tuple[str, ...] = Field(
        default=(), description="Files of an earlier answer that are no part of this one; they are still there."
    )


class ListedRun(Word):
    """A counterexample without its diagram, which tells the same run again; the report in full has both."""

    sentences: tuple[str, ...]
    test: str | None = Field(default=None, description="Path of the generated test that replays the run.")
    replayed: bool = Field(description="Whether the run was reproduced within the fault bounds of the spec.")


class ListedFinding(Finding):
    """A finding whose counterexample is told in sentences alone."""

    counterexample: ListedRun | None = None  # type: ignore[assignment] # shorter on purpose


class Answer(Word):
    """A report as a model reads it: without texts and diagrams. What is left out is at its default."""

    outcome: ReportOutcome
    summary: str
    findings: tuple[ListedFinding, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    obligations: tuple[Obligation, ...] = ()
    decisions: tuple[Decision, ...] = ()
    checks: tuple[Check, ...] = ()
    artifacts: tuple[ListedArtifact, ...] = ()
    written: Written | None = None
    report: str | None = Field(default=None, description="Resource: this report in full, as JSON.")
    note: str | None = Field(default=None, description="Why `report` isn't there.")
    left_out: dict[str, int] = Field(
        default_factory=dict, description="How many more of each there are: this reply is kept short, `report` has all."
    )


NOT_KEPT = "This report could not be kept, so that it can't be read again: pass `write_to` for the texts."


def answer(identity: str | None, report: Report, result: WriteResult | None) -> Answer:
    """The report as a reply, with what was written if anything was asked to be.

    Args:
        identity: What it is kept by; None if it couldn't be kept.
        report: The report.
        result: What was written; None if nothing was to be.

    What a report says many times over is said once: equal reasons are merged, and a run that a finding
    tells isn't told by the verdict again.
    """
    findings = [finding.model_dump(exclude={"counterexample": {"diagram"}}) for finding in report.findings]
    told = {finding.counterexample.sentences for finding in report.findings if finding.counterexample}
    verdicts = (
        verdict.model_copy(update={"path": ()}) if verdict.path in told else verdict for verdict in report.verdicts
    )
    return Answer(
        outcome=report.outcome,
        summary=report.summary,
        findings=tuple(map(ListedFinding.model_validate, findings)),
        verdicts=tuple(verdicts),
        obligations=_merged(report.obligations, "on"),
        decisions=_merged(report.decisions, "about"),
        checks=report.checks,
        artifacts=tuple(map(_listed, report.artifacts)),
        written=_written(result) if result is not None else None,
        report=None if identity is None else SCHEME + identity,
        note=NOT_KEPT if identity is None else None,
    )


def _merged(items: Iterable[W], name: str) -> tuple[W, ...]:
    """Items that differ in that text field alone as one, with the texts in a row."""
    alike: dict[str, list[W]] = {}
    for item in items:
        alike.setdefault(item.model_dump_json(exclude={name}), []).append(item)
    return tuple(
        group[0].model_copy(update={name: ", ".join(getattr(item, name) for item in group)}) for group in alike.values()
    )


def _written(result: WriteResult) -> Written:
    return Written(
        folder=str(result.folder),
        files=len(result.written),
        unchanged=len(result.unchanged),
        left_over=result.left_over,
    )


def _listed(artifact: Artifact) -> ListedArtifact:
    return ListedArtifact(path=artifact.path, size=len(artifact.text.encode()))


def refusal(error: BadInput, more: str = "") -> CallToolResult:
    """A reply that says what is wrong with the input, in the very words of the error, and what else there is to say."""
    text = "\n".join(filter(None, (lines_within(str(error)), more)))
    return CallToolResult(content=[TextContent(type="text", text=text)], is_error=True)
