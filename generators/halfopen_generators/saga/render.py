"""Everything a saga comes out as: the pages, the spec as checked, contracts, SQL and the code of a target."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

from halfopen.markdown import Table
from halfopen.registry import Judged
from halfopen.source import BadInput, Problem, Source
from halfopen.templates import kebab
from halfopen.vocabulary import Artifact, Finding
from halfopen_generators.saga import contracts, pages, tables
from halfopen_generators.saga.checked_spec import checked_spec
from halfopen_generators.saga.options import SagaOptions
from halfopen_generators.saga.plan import SagaDesign

_TARGETS = "halfopen_generators.saga.targets"


@dataclass(frozen=True)
class Target:
    """What code can be generated for: the module that spells it, and the styles it can say."""

    module: str
    orchestrated: bool


# One line per target; its module is imported when it is asked for.
TARGETS = {
    "dbos": Target("dbos", orchestrated=True),
    "temporal": Target("temporal", orchestrated=True),
    "step-functions": Target("step_functions", orchestrated=True),
    "nats": Target("choreography", orchestrated=False),
    "kafka": Target("choreography", orchestrated=False),
    "rabbitmq": Target("choreography", orchestrated=False),
}


def render(design: SagaDesign, judged: Judged, options: SagaOptions) -> tuple[Artifact, ...]:
    """Every file of the answer.

    Raises:
        BadInput: the target can't say the style of the saga.
    """
    name = target(design, options.target)
    failures, code = (_orchestrated if design.orchestrated else _choreographed)(design, judged, name)
    spec = Artifact(path=f"{kebab(design.name)}.saga.yaml", media_type="application/yaml", text=checked_spec(design))
    record = pages.record_page(design, judged)
    files = (spec, record, *contracts.artifacts(design), *tables.artifacts(design), *code)
    listed = (artifact.path for artifact in files)
    return (pages.design_page(design, judged, failures, name, listed), *files)


def target(design: SagaDesign, asked: str | None) -> str:
    """The target asked for, or the first that fits the style of the saga.

    Raises:
        BadInput: it doesn't fit.
    """
    legal = tuple(name for name, known in TARGETS.items() if known.orchestrated == design.orchestrated)
    if asked is None:
        return legal[0]
    if asked not in legal:
        message = f"{asked} does not run a saga by {design.style}."
        raise BadInput([Problem(message, path="target", value=asked, legal=legal)])
    return asked


def unsupported(design: SagaDesign, asked: str | None) -> tuple[Finding, ...]:
    """What the target says otherwise than the spec: the one that was asked for, or the one that fits its style.

    Raises:
        BadInput: the target can't say the style of the saga.
    """
    # A target that says everything as it stands has nothing to tell.
    told = getattr(_module(target(design, asked)), "unsupported", None)
    found: tuple[Finding, ...] = told(design, Source(data=None)) if told else ()
    return found


def _orchestrated(design: SagaDesign, judged: Judged, name: str) -> tuple[Table, tuple[Artifact, ...]]:
    from halfopen_generators.saga.scenario import scenarios  # noqa: PLC0415 - each style needs its own only

    runs = (*scenarios(design), *(judged.details or ()))
    return pages.orchestrated_failures(design), _module(name).artifacts(design, runs)


def _choreographed(design: SagaDesign, judged: Judged, name: str) -> tuple[Table, tuple[Artifact, ...]]:
    from halfopen_generators.saga import choreography_scenario  # noqa: PLC0415 - each style needs its own only

    own = choreography_scenario.choreography_scenarios(design)
    runs = (*own, *(judged.details or ()))
    return pages.choreographed_failures(design, own), _module(name).artifacts(design, runs, name)


def _module(name: str) -> Any:
    return importlib.import_module(f"{_TARGETS}.{TARGETS[name].module}")
