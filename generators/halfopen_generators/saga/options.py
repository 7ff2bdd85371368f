"""What a caller may set beside the spec."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from halfopen.registry import Options

Target = Literal["dbos", "temporal", "step-functions", "nats", "kafka", "rabbitmq"]


class SagaOptions(Options):
    """Options of the saga capability."""

    target: Target | None = Field(
        default=None,
        description="The engine to generate code for. Left out: dbos, or nats for a choreographed saga.",
    )
    exact: bool = Field(
        default=False,
        description="Count every copy of every message, within the bounds of `faults`, instead of allowing any number.",
    )
    max_states: int = Field(default=2_000_000, ge=1, description="States to explore before the answer is incomplete.")
    max_seconds: float = Field(default=120.0, gt=0, description="Seconds to explore before the answer is incomplete.")
