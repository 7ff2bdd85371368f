"""Sagas: from a spec to a design that a model checker has tried to break, and to code that runs.

A face asks for the words of the spec as soon as it starts; what does the work is imported when there is some.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from halfopen.progress import Progress
from halfopen.registry import Capability, Judged
from halfopen.source import Source
from halfopen.vocabulary import Artifact
from halfopen_generators.saga.options import SagaOptions
from halfopen_generators.saga.spec import SagaSpec

if TYPE_CHECKING:
    from halfopen_generators.saga.plan import SagaDesign


def _design(spec: SagaSpec, source: Source, options: SagaOptions) -> SagaDesign:
    from halfopen_generators.saga.design import design  # noqa: PLC0415 - see above

    return design(spec, source, options)


def _check(design: SagaDesign, options: SagaOptions, progress: Progress) -> Judged:
    from halfopen_generators.saga.check import check  # noqa: PLC0415 - see above

    return check(design, options, progress)


def _render(design: SagaDesign, judged: Judged, options: SagaOptions) -> tuple[Artifact, ...]:
    from halfopen_generators.saga.render import render  # noqa: PLC0415 - see above

    return render(design, judged, options)


capability = Capability(
    name="saga",
    title="Design a saga",
    summary="Design a transaction over several services, check its whole protocol, and generate code that runs it.",
    tool="design_saga",
    spec=SagaSpec,
    options=SagaOptions,
    design=_design,
    decisions=lambda designed: designed.decisions,
    check=_check,
    render=_render,
    file_suffixes=(".saga.yaml", ".saga.yml", ".saga.json"),
    quick=SagaOptions(max_seconds=1.0),
)
