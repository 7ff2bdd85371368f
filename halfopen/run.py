"""The only composer: from a source to a report. Every face calls this, and nothing here touches the disk."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from halfopen.source import Source, validate
from halfopen.vocabulary import Artifact, Finding, Report, judge

if TYPE_CHECKING:
    from halfopen.progress import Progress
    from halfopen.registry import Capability, Options


def run(capability: Capability, source: Source, options: Options, progress: Progress) -> Report:
    """What that capability answers to that spec.

    Once `progress.cancelled()` is true the check ends early, and the report holds what was known by then.

    Raises:
        BadInput: the source isn't a spec of this capability.
    """
    spec = validate(capability.spec, source)
    design = capability.design(spec, source, options)
    judged = capability.check(design, options, progress)
    artifacts = capability.render(design, judged, options)
    findings = tuple(_located(finding, source) for finding in judged.findings)
    report = Report(
        summary=judged.summary,
        outcome=judge(findings, judged.checks, judged.verdicts),
        decisions=capability.decisions(design),
        findings=findings,
        obligations=judged.obligations,
        checks=judged.checks,
        verdicts=judged.verdicts,
    )
    return report.with_artifacts(_distinct(artifacts, capability.name))


def _located(finding: Finding, source: Source) -> Finding:
    # A check knows places of the spec; where in which file they stand, only the source knows.
    return finding.model_copy(update={"evidence": tuple(source.located(each) for each in finding.evidence)})


def _distinct(artifacts: Iterable[Artifact], name: str) -> tuple[Artifact, ...]:
    by_path: dict[str, Artifact] = {}
    for artifact in artifacts:
        if by_path.setdefault(artifact.path, artifact) is not artifact:
            raise ValueError(f"{name} renders {artifact.path} twice")
    return tuple(by_path.values())
