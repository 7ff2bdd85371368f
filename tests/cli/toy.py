"""A capability of no use, which shows that the command line knows none of those it offers."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from halfopen.progress import Progress
from halfopen.registry import Capability, Judged, Options
from halfopen.source import Source
from halfopen.vocabulary import (
    Artifact,
    Check,
    Counterexample,
    Decision,
    Evidence,
    Explored,
    Finding,
    Obligation,
    Outcome,
    Severity,
    Status,
    Verdict,
)


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    weight: int = Field(default=1, ge=1)


class ToySpec(BaseModel):
    """A toy and its parts."""

    model_config = ConfigDict(extra="forbid")

    toy: str
    parts: list[Part] = Field(default_factory=list, max_length=5000)
    # The file that is made once the check has begun; it then goes on until it is interrupted.
    waits: str | None = None
    # It hears that it was interrupted, says so by a second file, and goes on.
    stubborn: bool = False


class ToyOptions(Options):
    """One field of each kind that an option may have."""

    size: Literal["small", "large"] = Field(default="small", description="How big it is.")
    edition: Literal[1, 2] = Field(default=1, description="Which edition.")
    shout: bool = Field(default=False, description="In capitals.")
    neat: bool = Field(default=True, description="With a bow.")
    copies: int = Field(default=1, ge=1, le=3, description="How many files.")
    scale: float | None = Field(default=None, gt=0, description="How much larger than life.")
    label: str | None = Field(default=None, description="What to call it.")


def design(spec: ToySpec, source: Source, options: ToyOptions) -> ToySpec:  # noqa: ARG001
    return spec


def check(spec: ToySpec, options: ToyOptions, progress: Progress) -> Judged:  # noqa: ARG001
    progress.report(1, "screws turned")
    if spec.waits:
        Path(spec.waits).touch()
        while spec.stubborn or not progress.cancelled():
            progress.report(2, "screws turned")
            if progress.cancelled():
                Path(f"{spec.waits}.heard").touch()
            time.sleep(0.01)
    heavy = [index for index, part in enumerate(spec.parts) if part.weight > 9]
    medium = [index for index, part in enumerate(spec.parts) if 5 < part.weight <= 9]
    bound = "Ctrl-C" if spec.waits else None
    light = Outcome.VIOLATED if heavy else Outcome.INCOMPLETE if bound else Outcome.HOLDS
    return Judged(
        summary=f"{spec.toy}: {len(spec.parts)} parts",
        findings=(*(_warning(index) for index in medium), *(_error(index) for index in heavy)),
        obligations=(
            Obligation(on="child", guarantee="is strong", provided_by="itself", needed=True, because="It is heavy."),
            Obligation(on="child", guarantee="is tall", provided_by="itself", needed=False, because="It is low."),
        ),
        checks=(Check(name="scales", tool="toy-scales", version="1.2", status=Status.PASSED, detail="all weighed"),),
        verdicts=(
            Verdict(
                property="can be lifted",
                outcome=light,
                explored=Explored(states=12345, transitions=67890, depth=7, bound=bound),
            ),
        ),
    )


def _warning(index: int) -> Finding:
    return Finding(
        code="TOY02",
        severity=Severity.WARNING,
        title="rather heavy",
        message="A small child can't lift it.",
        evidence=(Evidence(path=f"parts[{index}].weight"),),
        fix="Use wood.",
    )


def _error(index: int) -> Finding:
    return Finding(
        code="TOY01",
        severity=Severity.ERROR,
        title="too heavy",
        message="No child can lift it.",
        evidence=(Evidence(path=f"parts[{index}].weight"),),
        fix="Make it lighter.",
        counterexample=Counterexample(
            sentences=("The child bends down.", "The child pulls.", "Nothing moves."),
            diagram="sequenceDiagram\n",
            test="tests/test_lift.py",
            replayed=True,
        ),
    )


def decisions(spec: ToySpec) -> tuple[Decision, ...]:
    return (Decision(about="colour", choice="red", because=f"{spec.toy} is for sale.", instead_of=("blue",)),)


def render(spec: ToySpec, judged: Judged, options: ToyOptions) -> tuple[Artifact, ...]:
    text = f"{judged.summary} {options.model_dump_json()}\n"
    body = text.upper() if options.shout else text
    # Later files first: putting them in order is the composer's work.
    return tuple(
        Artifact(path=f"docs/{number}/{spec.toy[:3]}.md", media_type="text/markdown", text=body)
        for number in reversed(range(options.copies))
    )


capability = Capability(
    name="toy",
    title="Design a toy.",
    summary="Design a toy, and weigh it.",
    tool="design_toy",
    spec=ToySpec,
    design=design,
    decisions=decisions,
    check=check,
    render=render,
    options=ToyOptions,
    file_suffixes=(".toy.yaml", ".toy.json"),
)
