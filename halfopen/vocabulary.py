"""The words every capability answers in.

A capability reads a spec and answers with one `Report`. Everything in it is frozen and plain, so that
the same input gives the same bytes whichever face prints it.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field


class Word(BaseModel):
    """Base of all answers: immutable, and closed to keys nobody declared."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Severity(StrEnum):
    """How much a finding matters. Only `error` fails a report by default."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"

    @property
    def rank(self) -> int:
        """0 for info, 1 for warning, 2 for error: larger is worse."""
        return list(Severity).index(self)


class Certainty(StrEnum):
    """Whether a finding was derived (`proven`) or is a rule of thumb (`heuristic`)."""

    PROVEN = "proven"
    HEURISTIC = "heuristic"


class Evidence(Word):
    """Where a reader can check a finding: a path in the spec, and the file and line where they are known."""

    path: str = Field(description="The place in the spec or model, such as steps[1].compensation.")
    file: str | None = None
    line: int | None = Field(default=None, ge=1, description="Counted from 1.")

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.file and self.line else self.file
        return f"{place} ({self.path})" if place else self.path


class Counterexample(Word):
    """The shortest run that breaks a property, told so that it can be retold."""

    sentences: tuple[str, ...] = Field(description="One event each, in order, in the domain's words.")
    diagram: str = Field(description="The same run as a Mermaid sequence diagram.")
    test: str | None = Field(default=None, description="The command that replays the run against the generated code.")
    replayed: bool = Field(
        description="True if the run was reproduced event by event within the fault bounds of the spec."
    )


class Finding(Word):
    """One fault, with evidence and the way to mend it."""

    code: str = Field(pattern=r"^[A-Z]{3}[0-9]{2}$")
    severity: Severity
    title: str
    message: str
    evidence: Annotated[tuple[Evidence, ...], Field(min_length=1)]
    fix: str
    law: int | None = Field(default=None, ge=1, le=10, description="The law of distributed systems it rests on.")
    certainty: Certainty = Certainty.PROVEN
    counterexample: Counterexample | None = None


class Status(StrEnum):
    """What became of one check."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


class Check(Word):
    """One thing that was able to say no, and what it said."""

    name: str
    tool: str
    version: str
    status: Status
    detail: str = Field(default="", description="What was looked at; for a skipped check, why and what to do.")


class Outcome(StrEnum):
    """The answer to one property. `incomplete` is not `holds`: the search hit a bound."""

    HOLDS = "holds"
    VIOLATED = "violated"
    INCOMPLETE = "incomplete"


class Explored(Word):
    """How much of the state space an answer rests on: exact counts, no estimate."""

    states: int = Field(description="Distinct states reached.")
    transitions: int = Field(description="Successors computed, repeats included.")
    depth: int = Field(description="Events in the longest shortest run.")
    bound: str | None = Field(default=None, description="The limit that ended the search; null if it was exhausted.")


class Verdict(Word):
    """What exploration says of one property."""

    property: str
    outcome: Outcome
    path: tuple[str, ...] = Field(default=(), description="The shortest run that breaks it, one event each.")
    explored: Explored


class Decision(Word):
    """A choice the design made, so that a reader can disagree with it."""

    about: str = Field(description="What was decided, such as style or steps[0].kind.")
    choice: str
    because: str
    instead_of: tuple[str, ...] = ()
    law: int | None = Field(default=None, ge=1, le=10)


class Obligation(Word):
    """A guarantee the design counts on and that somebody has to provide."""

    on: str = Field(description="Who has to keep it, such as a service.")
    guarantee: str
    provided_by: str = Field(description="The generated code, or the participant itself.")
    needed: bool | None = Field(description="Whether the design is unsafe without it; null if that is not known.")
    because: str = Field(description="What happens without it, or why nothing does.")


class Artifact(Word):
    """One file of the answer. `path` is relative, with forward slashes."""

    path: str
    media_type: str
    text: str = Field(repr=False)


class ReportOutcome(StrEnum):
    """The report in one word."""

    PASS = "pass"  # noqa: S105 - the word of the contract, no password
    WARN = "warn"
    FAIL = "fail"


class Report(Word):
    """What a capability answers, whichever face asked."""

    summary: str
    outcome: ReportOutcome
    decisions: tuple[Decision, ...] = ()
    findings: tuple[Finding, ...] = ()
    obligations: tuple[Obligation, ...] = ()
    checks: tuple[Check, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    artifacts: tuple[Artifact, ...] = ()

    def worst(self) -> Severity | None:
        """The gravest severity among the findings; None if there is no finding."""
        return max((finding.severity for finding in self.findings), key=lambda s: s.rank, default=None)

    def with_artifacts(self, artifacts: Iterable[Artifact]) -> Self:
        """This report with the artifacts that were rendered from it, ordered by path."""
        ordered = tuple(sorted(artifacts, key=lambda artifact: artifact.path))
        return self.model_copy(update={"artifacts": ordered})


def judge(findings: Iterable[Finding], checks: Iterable[Check], verdicts: Iterable[Verdict]) -> ReportOutcome:
    """The outcome that follows from what was found.

    An error finding, a failed check or a violated property fails. A warning, a skipped check or an
    incomplete search warns: a design nobody finished looking at has not passed.
    """
    severities = {finding.severity for finding in findings}
    statuses = {check.status for check in checks}
    outcomes = {verdict.outcome for verdict in verdicts}
    if Severity.ERROR in severities or Status.FAILED in statuses or Outcome.VIOLATED in outcomes:
        return ReportOutcome.FAIL
    if Severity.WARNING in severities or Status.SKIPPED in statuses or Outcome.INCOMPLETE in outcomes:
        return ReportOutcome.WARN
    return ReportOutcome.PASS
