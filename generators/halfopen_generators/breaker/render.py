"""Everything a policy comes out as: each dialect's files, the pages, and the spec as checked."""

from __future__ import annotations

from halfopen.registry import Judged
from halfopen.vocabulary import Artifact
from halfopen_generators.breaker.options import BreakerOptions
from halfopen_generators.breaker.plan import Policy


def render(planned: Policy, judged: Judged, options: BreakerOptions) -> tuple[Artifact, ...]:
    """Every file of the answer."""
    del planned, options
    return tuple(file for one in judged.details.spoken for file in one.files)
