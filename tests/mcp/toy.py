"""A capability of no use at all, which shows that the server knows none of those it serves."""

from __future__ import annotations

import threading
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from halfopen.progress import Progress
from halfopen.registry import Capability, Judged, Options
from halfopen.source import Source
from halfopen.vocabulary import Artifact, Counterexample, Decision, Finding, Severity


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    weight: int = Field(default=1, ge=1)


class ToySpec(BaseModel):
    """A toy and its parts."""

    model_config = ConfigDict(extra="forbid")

    toy: str
    colour: Literal["red", "blue"] | None = None
    parts: list[Part] = Field(default_factory=list, description="What it is made of.")


class ToyOptions(Options):
    shout: bool = Field(default=False, description="In capitals.")
    copies: int = Field(default=1, ge=1, le=3, description="How many files.")


class Bench:
    """What happens while a toy is checked, as seen from the test."""

    def __init__(self) -> None:
        self.started = threading.Event()
        self.ended = threading.Event()
        self.saw_cancel = False

    def design(self, spec: ToySpec, source: Source, options: ToyOptions) -> tuple[ToySpec, Source]:  # noqa: ARG002
        return spec, source

    def check(self, design: tuple[ToySpec, Source], options: ToyOptions, progress: Progress) -> Judged:  # noqa: ARG002
        spec, source = design
        self.started.set()
        if spec.toy == "broken":
            raise RuntimeError("the secret of the workshop")
        if spec.toy == "counting":
            for done in (1, 5, 9):
                progress.report(done, "screws turned")
            progress.report(2, "coats painted")
        if spec.toy == "endless":
            # Ends by cancellation alone; the wait is a pause for others to run in, not a limit.
            while not progress.cancelled():
                self.ended.wait(0.01)
            self.saw_cancel = True
            self.ended.set()
        heavy = [index for index, part in enumerate(spec.parts) if part.weight > 9]
        return Judged(
            summary=f"{spec.toy}: {len(spec.parts)} parts",
            findings=tuple(
                Finding(
                    code="TOY01",
                    severity=Severity.ERROR,
                    title="too heavy",
                    message="a child can't lift it",
                    evidence=(source.evidence("parts", index, "weight"),),
                    fix="make it lighter",
                    counterexample=Counterexample(
                        sentences=("A child lifts it.", "It falls."),
                        diagram="sequenceDiagram\n",
                        replayed=True,
                    ),
                )
                for index in heavy
            ),
        )

    def render(self, design: tuple[ToySpec, Source], judged: Judged, options: ToyOptions) -> tuple[Artifact, ...]:
        text = f"{judged.summary} in {design[0].colour}\n"
        body = text.upper() if options.shout else text
        return tuple(
            Artifact(path=f"docs/{number}/toy.md", media_type="text/markdown", text=body)
            for number in range(options.copies)
        )

    def capability(self) -> Capability:
        return Capability(
            name="toy",
            title="Design a toy",
            summary="Designs a toy.",
            tool="design_toy",
            spec=ToySpec,
            design=self.design,
            decisions=_decisions,
            check=self.check,
            render=self.render,
            options=ToyOptions,
            file_suffixes=(".toy.yaml",),
        )


def _decisions(design: Any) -> tuple[Decision, ...]:
    return (Decision(about="colour", choice=str(design[0].colour), because="it was asked for"),)
