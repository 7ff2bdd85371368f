"""The only composer: from a source to a report. Every face calls this, and nothing here touches the disk."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from halfopen.source import Source, validate
from halfopen.vocabulary import Artifact, Decision, Finding, Report, judge

if TYPE_CHECKING:
    from halfopen.progress import Progress
    from halfopen.registry import Capability, FolderCheck, Judged, Options


def run(capability: Capability, source: Source, options: Options, progress: Progress) -> Report:
    """What that capability answers to that spec.

    Once `progress.cancelled()` is true the check ends early, and the report holds what was known by then.

    Raises:
        BadInput: the source isn't a spec of this capability.
    """
    design = _design(capability, source, options)
    judged = capability.check(design, options, progress)
    artifacts = capability.render(design, judged, options)
    return _report(capability, source, design, judged).with_artifacts(_distinct(artifacts, capability.name))


def check(capability: Capability, source: Source, options: Options, progress: Progress) -> Report:
    """What `run` answers, without the artifacts: for a face that only asks what is wrong.

    Raises:
        BadInput: the source isn't a spec of this capability.
    """
    design = _design(capability, source, options)
    return _report(capability, source, design, capability.check(design, options, progress))


def check_folder(asked: FolderCheck, folder: str, other: str | None, source: Source, progress: Progress) -> Report:
    """What is wrong with a folder that no spec made. Nothing is decided and nothing rendered.

    Args:
        asked: The capability's check of folders.
        folder: The folder, as the user wrote it.
        other: What it is compared with; None: with nothing.
        source: No data, and the caller's folders.
        progress: Told how far the check is.

    Raises:
        BadInput: the folder can't be read, lies elsewhere, or doesn't hold what is checked.
    """
    judged = asked.judge(folder, other, source, progress)
    return _reported(judged, (), source)


def _design(capability: Capability, source: Source, options: Options) -> Any:
    return capability.design(validate(capability.spec, source), source, options)


def _report(capability: Capability, source: Source, design: Any, judged: Judged) -> Report:
    return _reported(judged, capability.decisions(design), source)


def _reported(judged: Judged, decisions: tuple[Decision, ...], source: Source) -> Report:
    findings = tuple(_located(finding, source) for finding in judged.findings)
    return Report(
        summary=judged.summary,
        outcome=judge(findings, judged.checks, judged.verdicts),
        decisions=decisions,
        findings=findings,
        obligations=judged.obligations,
        checks=judged.checks,
        verdicts=judged.verdicts,
    )


def _located(finding: Finding, source: Source) -> Finding:
    # A check knows places of the spec; where in which file they stand, only the source knows.
    return finding.model_copy(update={"evidence": tuple(source.located(each) for each in finding.evidence)})


def _distinct(artifacts: Iterable[Artifact], name: str) -> tuple[Artifact, ...]:
    by_path: dict[str, Artifact] = {}
    for artifact in artifacts:
        if by_path.setdefault(artifact.path, artifact) is not artifact:
            raise ValueError(f"{name} renders {artifact.path} twice")
    return tuple(by_path.values())
