"""Everything a policy comes out as: the pages with their plots, each dialect's files, and the spec as checked."""

from __future__ import annotations

from halfopen.registry import Judged
from halfopen.vocabulary import Artifact
from halfopen_generators.breaker import experiment, tuning_page
from halfopen_generators.breaker.checked_spec import checked_spec
from halfopen_generators.breaker.options import BreakerOptions
from halfopen_generators.breaker.pages import pages
from halfopen_generators.breaker.plan import Policy
from halfopen_generators.breaker.plots import plots


def render(planned: Policy, judged: Judged, options: BreakerOptions) -> tuple[Artifact, ...]:
    """Every file of the answer."""
    del options  # what they change is in what was judged
    details = judged.details
    spec = Artifact(path=f"{planned.name}.breaker.yaml", media_type="application/yaml", text=checked_spec(planned))
    files = (
        *(file for one in details.spoken for file in one.files),
        *details.alerts,
        *(plots(planned, details.study) if details.study.whole else ()),
        *(tuning_page.artifacts(planned, details.tuned) if details.tuned else ()),
        *experiment.artifacts(planned, details.study if details.study.whole else None),
        spec,
    )
    return (*pages(planned, judged, details.study, [file.path for file in files]), *files)
