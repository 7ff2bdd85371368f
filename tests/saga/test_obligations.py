"""Who has to guarantee what: the smallest set that is safe, with what of it is missing, also where the spec fails."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from halfopen.progress import Silent
from halfopen.registry import capability
from halfopen.run import run
from halfopen.source import Source
from halfopen.vocabulary import Check, Outcome, Report, ReportOutcome, Status
from halfopen_generators.saga import verify as verification
from halfopen_generators.saga.options import SagaOptions
from halfopen_generators.saga.verify import verify
from tests.saga.designs import ALL_GUARANTEES, designed

# Two third parties that know keys and nothing else.
TRIP: dict[str, Any] = {
    "saga": "trip", "style": "orchestration", "deadline": "5m",
    "services": {name: {"external": True, "deduplicates": True} for name in ("cars", "hotels")},
    "steps": [
        {"name": "car", "service": "cars", "action": "ReserveCar", "compensation": "CancelCar"},
        {"name": "hotel", "service": "hotels", "action": "BookHotel", "compensation": "CancelHotel"},
    ],
}  # fmt: skip
UNDOABLE = {"name": "a", "service": "p", "action": "DoA", "compensation": "UndoA", "can_be_refused": True}
PIVOT = {"name": "b", "service": "q", "action": "DoB", "kind": "pivot", "can_be_refused": True}
BESIDE = [UNDOABLE | {"after": []}, PIVOT | {"after": []}]


def report(spec: dict[str, Any]) -> Report:
    return run(capability("saga"), Source(spec), SagaOptions(), Silent())


def set_of(found: Report) -> list[Check]:
    return [check for check in found.checks if check.name == "smallest set of guarantees"]


def spec_of(steps: list[dict[str, Any]], **services: dict[str, bool]) -> dict[str, Any]:
    return {"saga": "small", "style": "orchestration", "deadline": "9s", "services": services, "steps": steps}


@pytest.mark.parametrize("steps", [[UNDOABLE], [PIVOT], [UNDOABLE, PIVOT], [UNDOABLE | {"idempotent": True}]])
@pytest.mark.parametrize("lacking", [("p",), ("p", "q")])
def test_with_what_is_missing_the_needed_guarantees_are_the_smallest_set_that_is_safe(
    steps: list[dict[str, Any]], lacking: tuple[str, ...]
) -> None:
    # The checker adds what is missed until nothing is; here every subset of all guarantees is tried instead.
    services = sorted({step["service"] for step in steps})
    declared = {s: dict.fromkeys(ALL_GUARANTEES, s not in lacking) for s in services}
    found = set(verify(designed(spec_of(steps, **declared)), SagaOptions(), Silent()).mended.needed)
    every = [(service, guarantee) for service in services for guarantee in ALL_GUARANTEES]
    for size in range(len(every) + 1):
        safe = [
            set(chosen)
            for chosen in itertools.combinations(every, size)
            if all(
                verdict.outcome is Outcome.HOLDS
                for verdict in verify(
                    designed(spec_of(steps, **{s: {g: (s, g) in chosen for g in ALL_GUARANTEES} for s in services})),
                    SagaOptions(),
                    Silent(),
                ).verdicts
            )
        ]
        if safe:
            break
    assert safe == [found]


def test_missing_guarantees_are_named_at_once_and_not_one_after_the_other() -> None:
    found = report(TRIP)
    assert found.outcome is ReportOutcome.FAIL
    assert [(o.on, o.guarantee, o.provided_by) for o in found.obligations if o.needed and o.on == "cars"] == [
        ("cars", "deduplicates", "cars itself"),
        ("cars", "refuses_late_actions", "nobody: cars lacks it"),
        ("cars", "accepts_empty_compensation", "nobody: cars lacks it"),
    ]
    (told,) = set_of(found)
    assert told.status == "failed"
    assert told.detail.startswith(
        "the saga needs, and does not have: cars refuses_late_actions, cars accepts_empty_compensation, hotels "
    )
    missing = {o.on: {} for o in found.obligations} | TRIP["services"]
    for obligation in found.obligations:
        missing[obligation.on] = missing[obligation.on] | {obligation.guarantee: True}
    mended = report(TRIP | {"services": missing})
    assert mended.outcome is ReportOutcome.PASS
    assert set_of(mended) == []


def test_where_no_set_makes_the_saga_safe_that_is_said() -> None:
    (told,) = set_of(report(spec_of(BESIDE, p={}, q={})))
    assert told.detail.startswith("no set makes the saga safe: still broken with every guarantee kept: all or")
    (told,) = set_of(report(spec_of(BESIDE, p={"deduplicates": False}, q={})))
    assert told.detail.startswith("no set makes the saga safe: still broken with every guarantee kept: all or")


def test_beyond_a_broken_promise_nothing_is_said_to_be_needless() -> None:
    later = {"name": "c", "service": "r", "action": "DoC", "compensation": "UndoC", "after": ["a", "b"]}
    found = report(spec_of([*BESIDE, later], p={}, q={}, r={}))
    known = {(o.on, o.guarantee): o.needed for o in found.obligations}
    # The pivot has nothing that could be undone, so it needs no guarantee about that, wherever the search ended.
    assert known["q", "refuses_late_actions"] is False
    assert None in known.values()
    unknown = next(o for o in found.obligations if o.needed is None)
    assert unknown.because.startswith("Nothing is explored beyond a broken promise")


class _Until:
    """Cancelled once the first exploration is through."""

    def __init__(self) -> None:
        self.ended = False

    def report(self, done: int, what: str) -> None:
        """Nobody listens."""

    def cancelled(self) -> bool:
        return self.ended


def test_a_set_that_nobody_had_time_to_try_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    until = _Until()
    within = verification._within_its_faults

    def first(*arguments: Any) -> Any:
        found = within(*arguments)
        until.ended = True
        return found

    monkeypatch.setattr(verification, "_within_its_faults", first)
    spec = spec_of([UNDOABLE, PIVOT], p={"deduplicates": False}, q={})
    (check,) = set_of(run(capability("saga"), Source(spec), SagaOptions(), until))
    assert check.status is Status.SKIPPED
    assert check.detail == "not known: the search was ended before every guarantee that is missing could be kept"
