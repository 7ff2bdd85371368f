"""The automaton against the libraries: the same recordings, the same calls let through, the same changes of state."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from functools import cache

import pytest

from halfopen_generators.breaker.automaton import Settings
from halfopen_generators.breaker.engines import settings_as
from tests.breaker.engines.drivers import DRIVERS, base
from tests.breaker.engines.recordings import Recording, at_minima, at_ratios, by_hand, many_at_random, wish
from tests.breaker.engines.replay import Replayed, on_automaton

pytestmark = pytest.mark.oracle

SEED = 20_261_126
CASES = [
    ("resilience4j", "time"),
    ("resilience4j", "count"),
    ("resilience4j", "consecutive"),
    ("polly", "time"),
    ("opossum", "time"),
    ("cockatiel", "time"),
    ("cockatiel", "count"),
    ("cockatiel", "consecutive"),
    ("gobreaker", "time"),
    ("gobreaker", "fixed"),
    ("gobreaker", "count"),
    ("gobreaker", "consecutive"),
    ("gobreaker-ended", "time"),
    ("gobreaker-ended", "fixed"),
    ("failsafe-go", "time"),
    ("failsafe-go", "count"),
    ("failsafe-go", "consecutive"),
    ("pybreaker", "consecutive"),
    ("purgatory", "consecutive"),
]
case = pytest.mark.parametrize(("library", "window"), CASES, ids=["-".join(one) for one in CASES])


def as_told(library: str, asked: Settings) -> Settings:
    """The settings that the library amounts to; gobreaker's condition can count what has ended as well."""
    engine, _, counts = library.partition("-ended")
    settings = settings_as(engine, asked)
    return settings if counts or library == engine else replace(settings, counts="ended")


@cache
def replayed(library: str, window: str) -> list[tuple[Recording, Replayed]]:
    """Every recording for that window, and what the library did."""
    recordings = [
        *by_hand(window, slow=library == "resilience4j"),
        *many_at_random(SEED, lambda dice: wish(dice, window), 200),
    ]
    if window != "consecutive":
        recordings += at_ratios(window)
    if window == "time":
        recordings += at_minima()
    return list(zip(recordings, DRIVERS[library](recordings), strict=True))


@case
def test_it_goes_as_the_library_does(library: str, window: str) -> None:
    changed = refused = 0
    for recording, real in replayed(library, window):
        settings = as_told(library, recording.settings)
        assert on_automaton(settings, recording, base(library)) == real, recording
        changed += len(real.changes)
        refused += real.started.count(None)
    # Enough has happened for the sameness to mean something.
    assert changed > 2_000
    assert refused > 300 or settings.probe_places == "any"


def variants(settings: Settings) -> Iterator[tuple[str, Settings]]:
    """The settings with one thing changed, whatever could make a difference in such a window."""
    fields: dict[str, tuple[object, ...]] = {
        "probes": (settings.probes - 1, settings.probes + 1),
        "past_open": (not settings.past_open,),
        "open_for": (settings.open_for + 0.001,),
        "late": ("dropped", "now", "then", "then_reopens"),
        "clears": ("on_close", "on_change", "never"),
        "half_opens": ("on_call", "on_use", "by_timer"),
        "probe_rule": ("successes", "ratio"),
        "probe_places": ("in_all", "at_once", "any"),
        "excess": ("refused", "held"),
        "counts_probes": (not settings.counts_probes,),
    }
    unit = 1.0
    if settings.window in {"time", "fixed"}:
        unit = settings.bucket or 0.001
    fields["size"] = (settings.size - unit, settings.size + unit)
    if settings.window != "consecutive":
        fields |= {
            "minimum_calls": (settings.minimum_calls - 1, settings.minimum_calls + 1),
            "strict": (not settings.strict,),
            "counts": ("ended", "started", "asked"),
            "judged": ("failures", "all"),
            "arithmetic": ("quotient", "product", "percent", "percent32", "hundredths", "of_size"),
        }
    if settings.slow_after is not None:
        fields["slow_after"] = (settings.slow_after - 0.001, settings.slow_after + 0.001)
    if settings.bucket is not None:
        fields["bucket"] = (None, settings.bucket / 2)
        fields["buckets_from"] = ("clock", "start", "generation", "use", "use_lazily")
    for field, values in fields.items():
        for value in values:
            old = getattr(settings, field)
            name = field
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                name = f"{field} {'more' if value > old else 'less'}"
            elif not isinstance(value, bool):
                name = f"{field} {value}"
            if value == old:
                continue
            # Not everything can be put together.
            with suppress(ValueError):
                yield name, replace(settings, **{field: value})  # type: ignore[arg-type]


def surviving(library: str, window: str) -> list[str]:
    """The changes of the settings that no recording shows."""
    unseen: dict[str, bool] = {}
    for recording, real in replayed(library, window):
        right = as_told(library, recording.settings)
        for name, wrong in variants(right):
            if unseen.get(name, True):
                unseen[name] = on_automaton(wrong, recording, base(library)) == real
        if right.bucket is not None and unseen.get("edge", True):
            # Buckets turn a millisecond too early.
            early = 1 if right.buckets_from == "clock" else 0
            start = 1 if right.buckets_from == "start" else 0
            told = on_automaton(right, recording, base(library), early=early, start_early=start)
            unseen["edge"] = told == real and bool(early or start)
    assert len(unseen) > 15
    return sorted(name for name, left in unseen.items() if left)


# What makes no difference, whatever happens. "clears": between two closed states nothing is counted that is not emptied
# anyway, and a run has ended with the success that closes. "counts_probes": there is a run of no failures, too, or what
# began before isn't counted. "probe_places": a late answer is dropped before it could give a place back. "judged",
# "counts", "minimum_calls", "excess" and, for one probe, "probe_rule": theirs is a way that doesn't ask. "arithmetic":
# all of the calls are all of them, however one divides.
SURVIVORS = {
    ("resilience4j", "time"): ["clears on_change"],
    ("resilience4j", "count"): ["clears on_change"],
    ("resilience4j", "consecutive"): [
        "arithmetic hundredths",
        "arithmetic percent",
        "arithmetic product",
        "arithmetic quotient",
        "clears on_change",
    ],
    ("polly", "time"): ["clears on_change", "probe_places at_once", "probe_rule ratio"],
    ("opossum", "time"): ["probe_places at_once", "probe_rule ratio"],
    ("cockatiel", "time"): ["judged all", "probe_places at_once"],
    ("cockatiel", "count"): ["judged all", "probe_places at_once"],
    ("cockatiel", "consecutive"): ["clears never", "counts_probes", "probe_places at_once"],
    ("gobreaker", "time"): ["clears on_close", "counts_probes", "probe_places at_once"],
    ("gobreaker", "fixed"): ["clears on_close", "counts_probes", "probe_places at_once"],
    ("gobreaker", "count"): ["clears on_close", "counts asked", "counts_probes", "probe_places at_once"],
    ("gobreaker", "consecutive"): ["clears on_close", "counts_probes", "probe_places at_once"],
    ("gobreaker-ended", "time"): ["clears on_close", "counts asked", "probe_places at_once"],
    ("gobreaker-ended", "fixed"): ["clears on_close", "probe_places at_once"],
    ("failsafe-go", "time"): ["clears on_change"],
    ("failsafe-go", "count"): ["clears on_change", "counts_probes", "judged failures", "minimum_calls more"],
    ("failsafe-go", "consecutive"): ["clears never", "clears on_change", "counts_probes"],
    ("pybreaker", "consecutive"): ["clears never", "counts_probes", "excess held"],
    ("purgatory", "consecutive"): ["clears never", "clears on_change", "counts_probes", "excess held"],
}


@case
def test_every_change_of_the_settings_is_seen(library: str, window: str) -> None:
    assert surviving(library, window) == SURVIVORS[library, window]


def test_pybreaker_runs_calls_one_after_another() -> None:
    pybreaker = pytest.importorskip("pybreaker")
    breaker = pybreaker.CircuitBreaker()
    inside, together = [], []

    def call() -> None:
        inside.append(1)
        together.append(len(inside))
        # Whoever could come in would do it now.
        time.sleep(0.01)
        inside.pop()

    threads = [threading.Thread(target=breaker.call, args=(call,)) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert together == [1] * 5
