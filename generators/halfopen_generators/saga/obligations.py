"""Who has to guarantee what, and whether that is enough: the smallest set under which the saga is safe."""

from __future__ import annotations

from collections.abc import Iterator

from halfopen import __version__
from halfopen.vocabulary import Check, Obligation, Status
from halfopen_generators.saga.plan import GUARANTEES, ParticipantPlan, SagaDesign
from halfopen_generators.saga.spec import Guarantee
from halfopen_generators.saga.verify import Verification


def obligations(design: SagaDesign, verification: Verification) -> Iterator[Obligation]:
    """The guarantees that are needed, those that are missing too; and those that generated code provides besides."""
    for participant in design.participants.values():
        for guarantee in GUARANTEES:
            if guarantee == "publishes_atomically" and design.orchestrated:
                continue
            needed = verification.mended.needed.get((participant.name, guarantee))
            provision = participant.guarantees[guarantee]
            if needed is None and (provision != "generated" or not _takes_part(design, participant)):
                continue
            provided_by = {
                "generated": "generated code",
                "has": f"{participant.name} itself",
                "lacks": f"nobody: {participant.name} lacks it",
            }
            unseen = _unseen(verification.mended) if _asked(design, participant, guarantee) else ""
            without = f"Without it: {needed.told.sentences[-1]}" if needed else ""
            yield Obligation(
                on=participant.name,
                guarantee=guarantee,
                provided_by=provided_by[provision],
                needed=True if needed else (None if unseen else False),
                because=without or unseen or "No run that was explored goes wrong without it.",
            )


def smallest_set(design: SagaDesign, verification: Verification) -> Iterator[Check]:
    """Of a saga that is broken: whether a set of guarantees makes it safe, and what of the smallest one is missing."""
    if verification.breaks:
        status, detail = _smallest_set(design, verification.mended)
        yield Check(
            name="smallest set of guarantees",
            tool="halfopen",
            version=__version__,
            status=status,
            detail=detail,
        )


def _smallest_set(design: SagaDesign, mended: Verification) -> tuple[Status, str]:
    explored = mended.verdicts[0].explored
    if mended.missing(design):
        return Status.SKIPPED, "not known: the search was ended before every guarantee that is missing could be kept"
    if mended.breaks:
        promises = ", ".join(dict.fromkeys(broken.breach.promise for broken in mended.breaks))
        return Status.FAILED, f"no set makes the saga safe: still broken with every guarantee kept: {promises}"
    if not mended.complete:
        return Status.SKIPPED, f"not known: with every guarantee kept, the search ended at {explored.bound}"
    missing = [
        f"{participant.name} {guarantee}"
        for participant in design.participants.values()
        for guarantee in GUARANTEES
        if (participant.name, guarantee) in mended.needed and not participant.keeps(guarantee)
    ]
    return Status.FAILED, (
        f"the saga needs, and does not have: {', '.join(missing)}; with these every promise holds in all "
        f"{explored.states} states"
    )


def _takes_part(design: SagaDesign, participant: ParticipantPlan) -> bool:
    return any(step.service == participant.name for step in design.steps)


def _asked(design: SagaDesign, participant: ParticipantPlan, guarantee: Guarantee) -> bool:
    """Whether the guarantee means anything there: two of them speak of compensations."""
    if guarantee not in {"refuses_late_actions", "accepts_empty_compensation"}:
        return True
    return any(step.compensation for step in design.steps if step.service == participant.name)


def _unseen(verification: Verification) -> str:
    """Why more guarantees may be needed than were found to be; empty if that can't be."""
    if verification.breaks or verification.beyond:
        return "Nothing is explored beyond a broken promise, so it is not known whether it is needed."
    return "" if verification.complete else "The search was not finished, so it is not known whether it is needed."
