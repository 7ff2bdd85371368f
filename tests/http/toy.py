"""A capability whose runs begin and end when the test says so."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from halfopen.progress import Progress
from halfopen.registry import Capability, Judged, Options
from halfopen.source import Source
from halfopen.vocabulary import Artifact


class ToySpec(BaseModel):
    model_config = ConfigDict(extra="forbid")

    toy: str
    parts: list[dict[str, object]] = Field(default_factory=list)
    # Made when the check has begun; it then keeps a processor busy until `until` is there or it is cancelled.
    begun: str | None = None
    until: str | None = None


def design(spec: ToySpec, source: Source, options: Options) -> ToySpec:  # noqa: ARG001
    return spec


def check(spec: ToySpec, options: Options, progress: Progress) -> Judged:  # noqa: ARG001
    if spec.begun:
        Path(spec.begun).touch()
    turns = 0
    while spec.until and not Path(spec.until).exists():
        if progress.cancelled():
            Path(f"{spec.until}.cancelled").touch()
            break
        turns += sum(range(1000)) > 0
        progress.report(turns, "screws turned")
    return Judged(summary=f"the toy is {spec.toy}")


def render(spec: ToySpec, judged: Judged, options: Options) -> tuple[Artifact, ...]:  # noqa: ARG001
    return (Artifact(path="docs/toy.md", media_type="text/markdown", text=f"{spec.toy}\n"),)


capability = Capability(
    name="toy",
    title="Design a toy",
    summary="Designs a toy.",
    tool="design_toy",
    spec=ToySpec,
    design=design,
    decisions=lambda _: (),
    check=check,
    render=render,
)
