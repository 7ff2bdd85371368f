"""The tables that a saga's guarantees rest on, and the statements that use them: PostgreSQL.

Which tables a saga needs follows from its style; what each of them is for stands beside it in the template.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from halfopen.templates import environment
from halfopen.thresholds import thresholds
from halfopen.vocabulary import Artifact
from halfopen_generators.saga.meetings import locked, reread
from halfopen_generators.saga.plan import SagaDesign
from halfopen_generators.saga.spec import Style

# What every participant needs, whoever leads.
PARTICIPANT = ("inbox", "tombstone", "outbox")
# What a participant needs where runs are kept apart on its resources.
ISOLATION = ("isolation",)
# What the leading side needs; in choreography, where nobody leads, what a join needs.
LEADING: Mapping[Style, tuple[str, ...]] = {
    "orchestration": ("idempotency", "log"),
    "event-sourced": ("idempotency", "events"),
    "choreography": ("idempotency", "arrivals"),
}
# How a relay spaces its tries, by the names that the template has for it.
RELAY: Mapping[str, str] = {"first_wait": "retry-first-wait", "factor": "retry-factor"}


def artifacts(design: SagaDesign) -> Iterator[Artifact]:
    """`sql/postgres.sql`, which may be applied again and again, and `sql/statements.sql`, which uses it."""
    isolation = ISOLATION if any(locked(design, step) or reread(design, step) for step in design.steps) else ()
    sections = (*PARTICIPANT, *isolation, *LEADING[design.style])
    templates = environment("halfopen_generators.saga")
    for name, part in (("postgres", "table"), ("statements", "use")):
        text = templates.get_template(f"tables/{name}.sql.j2").render(
            design=design,
            about=" ".join(design.description.split()),
            sections=[f"tables/{section}.{part}.sql.j2" for section in sections],
            relay={name: f"{thresholds()[figure].value:g}" for name, figure in RELAY.items()},
        )
        yield Artifact(path=f"sql/{name}.sql", media_type="application/sql", text=text)
