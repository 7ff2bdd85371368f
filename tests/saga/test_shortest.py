"""What is shown of a fault is the shortest run within the bounds, told by answers rather than by timeouts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings

from halfopen.checkers.explore import EVERY_RUN_ENDS, Budget, explore
from halfopen.progress import Deadline, Silent
from halfopen_generators.saga import verify as verification
from halfopen_generators.saga.options import SagaOptions
from halfopen_generators.saga.plan import SagaDesign
from halfopen_generators.saga.protocol.instances import Instances
from halfopen_generators.saga.protocol.isolation import Resources
from halfopen_generators.saga.protocol.orchestration import Run
from halfopen_generators.saga.protocol.replay import replay
from halfopen_generators.saga.protocol.shortest import shortest_runs
from halfopen_generators.saga.verify import Break, verify
from tests.saga.designs import designed, orchestrated

BESIDE: list[dict[str, Any]] = [
    {"name": "a", "service": "s1", "action": "A", "compensation": "UA", "after": [], "can_be_refused": True},
    {"name": "p", "service": "s2", "action": "P", "kind": "pivot", "after": [], "can_be_refused": True},
    {"name": "r", "service": "s3", "action": "R", "kind": "retriable", "after": ["a", "p"]},
]
RESERVE: dict[str, Any] = {"name": "reserve", "service": "inv", "action": "Reserve"}
CHARGE: dict[str, Any] = {"name": "charge", "service": "pay", "action": "Charge", "kind": "pivot",
                          "can_be_refused": True}  # fmt: skip
UNDONE: dict[str, Any] = {"compensation": {"action": "Release", "can_be_refused": True}}


def of(steps: Sequence[dict[str, Any]]) -> SagaDesign:
    return designed({"saga": "x", "style": "orchestration", "deadline": "1m", "steps": list(steps)})


def breaks(design: SagaDesign, *, exact: bool = False) -> dict[str, Break]:
    found = verify(design, SagaOptions(exact=exact), Silent()).breaks
    return {f"{each.breach.code} {each.breach.step}": each for each in found}


@pytest.mark.parametrize(
    ("steps", "fault", "sentences"),
    [(BESIDE, "SAG02 a", 6), (BESIDE, "SAG02 p", 5), ([RESERVE, CHARGE], "SAG01 reserve", 6),
     ([RESERVE | UNDONE, CHARGE], "SAG13 reserve", 7)],
)  # fmt: skip
@pytest.mark.parametrize("exact", [False, True])
def test_a_refusal_is_shown_rather_than_timeouts(
    steps: Sequence[dict[str, Any]], fault: str, sentences: int, *, exact: bool
) -> None:
    shown = breaks(of(steps), exact=exact)[fault]
    assert shown.replayed
    assert len(shown.told.sentences) == sentences
    assert "timeout" not in " ".join(shown.told.sentences)
    assert "refuses" in " ".join(shown.told.sentences)


@settings(max_examples=40, deadline=None)
@given(orchestrated(most_steps=2))
def test_no_run_within_bounds_is_shorter(design: SagaDesign) -> None:
    model = Run(design, exact=True).model
    every = explore(model, budget=Budget(states=20_000, seconds=20))
    if every.bound is not None:
        return
    found = shortest_runs(model, every.violations, most_states=every.states)
    assert {name: len(path.actions) for name, path in found.items()} == {
        name: len(path.actions) for name, path in every.violations.items()
    }
    for path in found.values():
        assert path.states[0] in set(model.initial())
        for before, action, after in zip(path.states, path.actions, path.states[1:], strict=False):
            assert (action, after) in set(model.steps(before))


def test_beyond_the_number_of_states_the_run_is_retold_event_by_event(monkeypatch: pytest.MonkeyPatch) -> None:
    design = of(BESIDE)
    model = Run(design, exact=True).model
    assert shortest_runs(model, ["all or compensated/SAG02/p"], most_states=10) == {}
    monkeypatch.setattr(verification, "shortest_runs", lambda *_, **__: {})
    shown = breaks(design)["SAG02 a"]
    assert shown.replayed
    assert len(shown.told.sentences) == 7


# Three holds side by side, more than the exact protocol of two runs can be searched for; two runs want the same rooms.
ROOMS: list[dict[str, Any]] = [
    {"name": name, "service": name, "action": f"Hold{name}", "compensation": f"Free{name}", "after": [],
     "can_be_refused": True}
    for name in ("flight", "hotel", "car")
] + [{"name": "pay", "service": "wallet", "action": "Pay", "after": ["flight", "hotel", "car"], "kind": "pivot"},
     {"name": "mail", "service": "mailer", "action": "Mail", "after": ["pay"], "kind": "retriable"}]  # fmt: skip
ROOMS[1] |= {"reads": ["rooms"], "writes": ["rooms"]}
TWO_RUNS: dict[str, Any] = {
    "saga": "x", "style": "orchestration", "deadline": "1m", "instances": 2, "steps": ROOMS,
    "services": {"flight": {}, "hotel": {}, "car": {}, "wallet": {}, "mailer": {"external": True}},
}  # fmt: skip


def test_what_one_run_breaks_by_itself_is_told_of_one() -> None:
    shown = breaks(designed(TWO_RUNS))["SAG07 mail"]
    assert shown.replayed
    assert not [sentence for sentence in shown.told.sentences if "Run " in sentence]


def test_a_refusal_is_shown_where_the_bounded_protocol_is_too_large_to_be_searched() -> None:
    design = designed(TWO_RUNS)
    found = [broken for broken in verify(design, SagaOptions(), Silent()).breaks if broken.breach.resource]
    assert {broken.breach.promise for broken in found} == {"no lost update", "no dirty read"}
    exact = Instances(Run(design, exact=True, resources=Resources.of(design)).model, 2, partial_order=False)
    assert shortest_runs(exact, [broken.label for broken in found]) == {}
    for broken in found:
        assert broken.replayed
        # Both hold a room, one is refused a flight and hears of it, and frees its room.
        assert len(broken.events) == 5


@settings(max_examples=30, deadline=None)
@given(orchestrated(most_steps=2, shared=True))
def test_what_one_run_breaks_two_break_as_well(design: SagaDesign) -> None:
    resources = Resources.of(design)
    alone = explore(Run(design, exact=False).model, budget=Budget(states=10_000))
    both = explore(
        Instances(Run(design, exact=False, resources=resources).model, 2), budget=Budget(states=30_000, seconds=20)
    )
    if alone.bound is None and both.bound is None:
        assert set(alone.violations) <= set(both.violations)


def test_who_is_cancelled_looks_no_further() -> None:
    design = of(BESIDE)
    model = Run(design, exact=True).model
    up = Deadline(Silent(), seconds=-1)
    found = shortest_runs(model, explore(model).violations)
    assert found
    assert shortest_runs(model, [*found, EVERY_RUN_ENDS], progress=up) == {}
    path = next(iter(found.values()))
    assert replay(path, model) is not None
    assert replay(path, model, up) is None
