"""The automaton by itself: what every breaker keeps, and its windows counted again the slow way."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from dataclasses import fields, replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from halfopen_generators.breaker import windows
from halfopen_generators.breaker.automaton import Breaker, Settings, State
from halfopen_generators.breaker.engines import ENGINES, Engine, said, settings_as
from halfopen_generators.breaker.ratios import Needed
from tests.breaker.engines.recordings import Call, Recording, at_random
from tests.breaker.engines.replay import on_automaton

PLAIN = Settings("count", 4, minimum_calls=4, failure_ratio=0.5, open_for=30.0, probes=2)


def driven(breaker: Breaker, calls: str, now: float = 0.0) -> float:
    """One call after another, a second each: x fails, . succeeds, - is refused. When they are over."""
    for call in calls:
        ticket = breaker.admits(now)
        assert bool(ticket) == (call != "-"), f"{call} at {now}"
        now += 1
        if ticket:
            breaker.done(ticket, now, 1, failed=call == "x")
    return now


def test_it_opens_tests_and_closes() -> None:
    changes: list[tuple[float, State]] = []
    breaker = Breaker(PLAIN, on_change=lambda *change: changes.append(change))
    driven(breaker, "..xx--", 0.0)
    driven(breaker, "..x.x", 34.0)
    assert changes == snapshot([(4.0, "open"), (34.0, "half_open"), (36.0, "closed")])


def test_one_failed_probe_opens_it_again() -> None:
    breaker = Breaker(PLAIN)
    driven(breaker, "xxxx-")
    driven(breaker, ".x-", 34.0)
    assert breaker.state == "open"
    driven(breaker, "-", 65.5)
    driven(breaker, "..", 66.0)
    assert breaker.state == "closed"


def test_no_more_probes_than_places() -> None:
    breaker = Breaker(PLAIN)
    driven(breaker, "xxxx")
    first, second, third = (breaker.admits(40.0) for _ in range(3))
    assert (bool(first), bool(second), third) == (True, True, 0)
    assert not breaker.holds
    breaker.done(first, 41.0, 1.0, failed=False)
    assert breaker.state == "half_open"
    breaker.done(second, 41.0, 1.0, failed=False)
    assert breaker.state == "closed"


def test_a_late_answer_is_dropped() -> None:
    breaker = Breaker(PLAIN)
    late = [breaker.admits(0.0) for _ in range(3)]
    driven(breaker, "xxxx")
    breaker.done(late[0], 5.0, 5.0, failed=False)
    probe = breaker.admits(40.0)
    breaker.done(late[1], 40.0, 40.0, failed=True)
    assert breaker.state == "half_open"
    breaker.done(probe, 41.0, 1.0, failed=False)
    driven(breaker, ".", 41.0)
    for _ in range(3):
        breaker.done(late[2], 42.0, 42.0, failed=True)
        driven(breaker, ".", 42.0)
    assert breaker.state == "closed"


def test_slow_calls_open_it_as_failures_do() -> None:
    breaker = Breaker(replace(PLAIN, slow_ratio=0.75, slow_after=1.0))
    for took in (1.0, 1.5, 1.5, 1.5):
        assert breaker.state == "closed"
        breaker.done(breaker.admits(0.0), took, took, failed=False)
    # Only a failure has it judged.
    assert breaker.state == "closed"
    breaker.done(breaker.admits(2.0), 2.5, 0.5, failed=True)
    assert breaker.state == "open"


def test_it_holds_calls_back_where_a_library_does() -> None:
    breaker = Breaker(replace(PLAIN, excess="held", probes=1))
    assert not breaker.holds
    driven(breaker, "xxxx")
    assert not breaker.holds
    probe = breaker.admits(40.0)
    assert (breaker.admits(40.0), breaker.holds) == (0, True)
    breaker.done(probe, 41.0, 1.0, failed=False)
    assert not breaker.holds
    assert breaker.admits(41.0)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"failure_ratio": 0.0}, "failure_ratio lies above 0"),
        ({"failure_ratio": 1.5}, "failure_ratio lies above 0"),
        ({"open_for": 0.0}, "open_for above 0"),
        ({"size": 0}, "at least 1"),
        ({"probes": 0}, "at least 1"),
        ({"minimum_calls": 0}, "at least 1"),
        ({"window": "time", "probes": 0}, "at least 1"),
        ({"window": "time", "minimum_calls": 0}, "at least 1"),
        ({"slow_ratio": 0.5}, "come together"),
        ({"counts": "started"}, "have only begun"),
        ({"window": "time", "arithmetic": "of_size"}, "only a window of calls"),
    ],
)
def test_what_no_breaker_can_be_is_refused(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        replace(PLAIN, **wrong)


wishes = st.builds(
    Settings,
    window=st.sampled_from(["time", "count", "fixed", "consecutive"]),
    size=st.integers(1, 12),
    minimum_calls=st.integers(1, 12),
    failure_ratio=st.integers(1, 100).map(lambda percent: percent / 100),
    open_for=st.sampled_from([0.25, 1.0, 2.5, 30.0]),
    probes=st.integers(1, 4),
)
# A bucket of any of them is whole milliseconds, and so is everything else.
engines = st.sampled_from(list(ENGINES.values()))
dice = st.integers(0, 2**32).map(random.Random)


@given(wishes, engines, dice)
def test_states_follow_each_other_as_they_may(wish: Settings, engine: Engine, rolled: random.Random) -> None:
    settings = settings_as(engine.name, replace(wish, size=10) if wish.window in {"time", "fixed"} else wish)
    told = on_automaton(settings, at_random(rolled, wish))
    states: list[State] = ["closed", *(state for _, state in told.changes)]
    follow = {"closed": {"open"}, "open": {"half_open"}, "half_open": {"open", "closed"}}
    if settings.late == "then_reopens":
        follow = {
            "closed": {"open", "closed"},
            "open": {"half_open", "open", "closed"},
            "half_open": {"open", "closed"},
        }
    for before, after in itertools.pairwise(states):
        assert after in follow[before]
    # Nothing is let through before the open time is over, unless it closes without a probe.
    if settings.late != "then_reopens":
        for (at, state), (until, _) in itertools.pairwise((*told.changes, (10**9, "closed"))):
            if state == "open":
                assert until - at >= round(settings.open_for * 1000)
                assert not any(began is not None and at < began < until for began in told.started)


@given(wishes, engines, dice)
def test_the_unit_of_time_is_nobodys_business(wish: Settings, engine: Engine, rolled: random.Random) -> None:
    # Eighths of seconds are exact as floats, too.
    settings = settings_as(engine.name, replace(wish, size=10) if wish.window in {"time", "fixed"} else wish)
    drawn = at_random(rolled, wish)
    eighths = [Call(round(call.at * 8) / 8, max(1, round(call.takes * 8)) / 8, call.fails) for call in drawn.calls]
    recording = Recording(settings, tuple(eighths))
    exact = on_automaton(settings, recording)
    changes: list[tuple[float, State]] = []
    breaker = Breaker(settings, start=946_684_800.25, on_change=lambda *change: changes.append(change))
    assert in_seconds(breaker, recording) == tuple(None if at is None else at / 1000 for at in exact.started)
    assert [(at - 946_684_800.25, state) for at, state in changes] == [
        (at / 1000, state) for at, state in exact.changes
    ]


def in_seconds(breaker: Breaker, recording: Recording) -> tuple[float | None, ...]:
    """When each call begins, all of it in seconds, without a clever order: the next thing is looked for each time."""
    started: list[float | None] = [None] * len(recording.calls)
    todo = [(946_684_800.25 + call.at, 1, index, 0) for index, call in enumerate(recording.calls)]
    held: list[int] = []
    while todo:
        now, begins, index, ticket = min(todo)
        todo.remove((now, begins, index, ticket))
        if not begins:
            breaker.done(ticket, now, recording.calls[index].takes, failed=recording.calls[index].fails)
        asking = [index] if begins else []
        if held and not breaker.holds:
            asking, held = [*asking, *held], []
        for other in asking:
            if ticket := breaker.admits(now):
                started[other] = now - 946_684_800.25
                todo.append((now + recording.calls[other].takes, 0, other, ticket))
            elif breaker.holds:
                held.append(other)
    return tuple(started)


ends = st.lists(st.tuples(st.integers(0, 40), st.booleans(), st.booleans()), max_size=60)
Ends = list[tuple[int, bool, bool]]


def since(size: int) -> Callable[[int, Ends], Ends]:
    return lambda now, past: [end for end in past if end[0] > now - size]


def in_buckets(now: int, past: Ends) -> Ends:
    return [end for end in past if end[0] // 3 > now // 3 - 4]


@given(ends)
@pytest.mark.parametrize(
    ("window", "kept"),
    [
        (lambda: windows.LastCalls(4), lambda _, past: past[-4:]),
        (lambda: windows.Sliding(12), since(12)),
        (lambda: windows.Ring(4, 3, 0), in_buckets),
        (lambda: windows.GenerationRing(4, 3, 0, started=False), in_buckets),
        # A bucket that begins with every call is no bucket.
        (lambda: windows.Queue(12, 0), since(12)),
    ],
    ids=["last calls", "sliding", "ring", "generation", "queue"],
)
def test_a_window_counts_what_is_in_it(window: Any, kept: Callable[[int, Ends], Ends], steps: Ends) -> None:
    made, now, past = window(), 0, []
    for step, failed, slow in steps:
        now += step // 8
        made.begin(now) if isinstance(made, windows.GenerationRing) else None
        made.add(now, failed, slow, made.age)
        past.append((now, failed, slow))
        left = kept(now, past)
        assert (made.total, made.failed, made.slow) == (
            len(left),
            sum(failed for _, failed, _ in left),
            sum(slow for *_, slow in left),
        )
    made.clear(now)
    assert (made.total, made.failed, made.slow) == (0, 0, 0)


@given(st.integers(1, 100), st.integers(0, 300), st.booleans())
def test_the_needed_failures_are_the_least_that_reach_the_ratio(percent: int, total: int, strict: bool) -> None:  # noqa: FBT001
    needed = Needed(replace(PLAIN, strict=strict), percent / 100)[total]
    share = Fraction(percent, 100)

    def enough(failed: int) -> bool:
        return not total or (Fraction(failed, total) > share if strict else Fraction(failed, total) >= share)

    assert needed >= 1
    assert enough(needed)
    assert needed == 1 or not enough(needed - 1)


@given(wishes, engines)
def test_a_library_says_what_it_can_and_owns_up_to_the_rest(wish: Settings, engine: Engine) -> None:
    told = said(engine.name, wish)
    names = {field.name for field in fields(Settings)}
    assert all(unsaid.field in names for unsaid in told.unsaid)
    missing = {unsaid.field for unsaid in told.unsaid}
    # What is not as it was asked for is owned up to; Resilience4j says failures in a row as the last calls.
    for name in ("window", "size", "minimum_calls", "failure_ratio", "open_for", "probes"):
        if getattr(told.settings, name) != getattr(wish, name):
            assert name in missing or "window" in missing or wish.window == "consecutive"
    # Whatever else the wish holds is not looked at.
    assert said(engine.name, replace(wish, late="then", strict=True, past_open=True)) == told


@given(wishes, engines)
def test_what_a_library_says_it_says_again(wish: Settings, engine: Engine) -> None:
    once = settings_as(engine.name, wish)
    again = settings_as(engine.name, once)
    # Calls a second become calls again, rounded up each time.
    assert replace(again, minimum_calls=1) == replace(once, minimum_calls=1)
    assert engine.name == "cockatiel" or again == once


def test_what_each_library_cannot_say() -> None:
    wish = Settings(
        "time", 12.5, minimum_calls=20, failure_ratio=0.5, open_for=30.0, probes=3, slow_ratio=0.5, slow_after=1.0
    )
    told = {name: [(one.field, one.instead) for one in said(name, wish).unsaid] for name in ENGINES}
    assert told == snapshot(
        {
            "resilience4j": [("size", "12 s")],
            "polly": [("slow_ratio", "slow calls aren't judged"), ("probes", "one probe decides")],
            "opossum": [("slow_ratio", "slow calls aren't judged"), ("probes", "one probe decides")],
            "cockatiel": [("slow_ratio", "slow calls aren't judged"), ("size", "12.506 s"), ("minimum_calls", "21")],
            "gobreaker": [("slow_ratio", "slow calls aren't judged")],
            "failsafe-go": [("slow_ratio", "slow calls aren't judged")],
            "pybreaker": [
                ("slow_ratio", "slow calls aren't judged"),
                ("window", "10 failures in a row"),
                ("failure_ratio", "10 failures in a row"),
            ],
            "purgatory": [
                ("slow_ratio", "slow calls aren't judged"),
                ("probes", "one probe decides"),
                ("window", "10 failures in a row"),
                ("failure_ratio", "10 failures in a row"),
            ],
        }
    )
    counted = replace(wish, window="count", size=100)
    told = {name: [(one.field, one.instead) for one in said(name, counted).unsaid] for name in ENGINES}
    assert told == snapshot(
        {
            "resilience4j": [],
            "polly": [
                ("slow_ratio", "slow calls aren't judged"),
                ("probes", "one probe decides"),
                ("window", "the calls of the last 30 s"),
            ],
            "opossum": [
                ("slow_ratio", "slow calls aren't judged"),
                ("probes", "one probe decides"),
                ("window", "the calls of the last 10 s"),
            ],
            "cockatiel": [("slow_ratio", "slow calls aren't judged")],
            "gobreaker": [("slow_ratio", "slow calls aren't judged"), ("window", "all calls since it last closed")],
            "failsafe-go": [
                ("slow_ratio", "slow calls aren't judged"),
                ("minimum_calls", "so many failures, however few calls"),
            ],
            "pybreaker": [
                ("slow_ratio", "slow calls aren't judged"),
                ("window", "10 failures in a row"),
                ("failure_ratio", "10 failures in a row"),
            ],
            "purgatory": [
                ("slow_ratio", "slow calls aren't judged"),
                ("probes", "one probe decides"),
                ("window", "10 failures in a row"),
                ("failure_ratio", "10 failures in a row"),
            ],
        }
    )


def test_every_library_names_its_sources_and_surprises() -> None:
    for name, engine in ENGINES.items():
        assert name == engine.name
        assert engine.sources
        assert engine.surprises
        assert engine.version[0].isdigit()
    with pytest.raises(KeyError):
        said("hystrix", PLAIN)
