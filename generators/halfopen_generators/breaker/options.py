"""What a caller may set beside the spec."""

from __future__ import annotations

from pydantic import Field

from halfopen.registry import Options


class BreakerOptions(Options):
    """Options of the circuit-breaker capability."""

    seeds: int = Field(default=3, ge=1, le=20, description="Simulated runs of each policy in each trouble.")
    tune: bool = Field(default=False, description="Search for the figures that meet the objective best.")
