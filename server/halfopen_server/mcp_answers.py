"""What a tool replies, and the reports it can still be asked about."""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any, TypeVar

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

W = TypeVar("W", bound=Word)

SCHEME = "halfopen://reports/"


class ListedArtifact(Word):
    """One file of the answer, without its text."""

    path: str
    media_type: str
    size: int = Field(description="In bytes.")
    uri: str = Field(description="Read this resource for the text.")


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
    report: str = Field(description="Resource: this report in full, as JSON.")


def answer(identity: str, report: Report, result: WriteResult | None) -> Answer:
    """The report as a reply, with what was written if anything was asked to be.

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
        artifacts=tuple(_listed(identity, artifact) for artifact in report.artifacts),
        written=_written(result) if result is not None else None,
        report=SCHEME + identity,
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


def _listed(identity: str, artifact: Artifact) -> ListedArtifact:
    return ListedArtifact(
        path=artifact.path,
        media_type=artifact.media_type,
        size=len(artifact.text.encode()),
        uri=f"{SCHEME}{identity}/{artifact.path}",
    )


def refusal(error: BadInput) -> CallToolResult:
    """A reply that says what is wrong with the input, in the very words of the error."""
    return CallToolResult(content=[TextContent(type="text", text=str(error))], is_error=True)


def identify(*parts: Any) -> str:
    """The same name for the same call, in every process: a hash of what was asked."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class Reports:
    """The latest reports of this process, by identity; the oldest make room."""

    def __init__(self, room: int = 16) -> None:
        self._room = room
        self._kept: OrderedDict[str, Report] = OrderedDict()

    def keep(self, identity: str, report: Report) -> None:
        """Keep that report as the latest."""
        self._kept[identity] = report
        self._kept.move_to_end(identity)
        while len(self._kept) > self._room:
            self._kept.popitem(last=False)

    def resources(self) -> list[tuple[str, str]]:
        """URI and media type of everything that can be read, the latest report first."""
        found = []
        for identity, report in reversed(self._kept.items()):
            found.append((SCHEME + identity, "application/json"))
            found += [(f"{SCHEME}{identity}/{artifact.path}", artifact.media_type) for artifact in report.artifacts]
        return found

    def read(self, uri: str) -> tuple[str, str]:
        """Text and media type of a report or one of its artifacts.

        Raises:
            KeyError: nothing of that name is kept; its text says what to do.
        """
        identity, _, path = uri.removeprefix(SCHEME).partition("/")
        report = self._kept.get(identity)
        if report is None:
            raise KeyError(f"No report {identity!r} is kept any more: call the tool again with the same arguments.")
        if not path:
            return report.model_dump_json(indent=2), "application/json"
        for artifact in report.artifacts:
            if artifact.path == path:
                return artifact.text, artifact.media_type
        paths = ", ".join(artifact.path for artifact in report.artifacts)
        raise KeyError(f"Report {identity!r} has no artifact {path!r}. It has: {paths}.")
