"""The formulas against sums that are too slow or too simple to be used."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halfopen_generators.breaker.formulas import at_least, blocked, calls_needed, places, rounded_down, rounded_up


@given(st.integers(0, 60), st.floats(0.01, 80))
def test_so_many_are_blocked_as_the_sum_says(servers: int, load: float) -> None:
    exact = Fraction(load)
    terms = [exact**number / math.factorial(number) for number in range(servers + 1)]
    assert blocked(servers, load) == pytest.approx(float(terms[-1] / sum(terms)), rel=1e-9)


def test_what_is_too_seldom_for_a_number_is_never() -> None:
    assert blocked(1_000_000, 3.0) == 0.0


@given(st.floats(0.001, 300), st.sampled_from([0.5, 0.01, 1e-6]))
def test_places_are_the_fewest(load: float, refused: float) -> None:
    found = places(load, refused)
    assert blocked(found, load) <= refused
    assert found == 0 or blocked(found - 1, load) > refused


@settings(max_examples=10, deadline=None)
@given(st.floats(100_001, 150_000))
def test_of_very_many_places_there_are_enough_and_few_more(load: float) -> None:
    found = places(load, 1e-6)
    assert blocked(found, load) <= 1e-6
    assert found < load * 1.02
    assert places(1e30, 1e-6) == pytest.approx(1e30)


@given(st.integers(0, 40), st.integers(0, 40), st.floats(0, 1))
def test_a_tail_is_the_sum_of_its_chances(successes: int, trials: int, chance: float) -> None:
    exact = Fraction(chance)
    terms = (math.comb(trials, n) * exact**n * (1 - exact) ** (trials - n) for n in range(successes, trials + 1))
    assert at_least(successes, trials, chance) == pytest.approx(float(sum(terms)), rel=1e-9, abs=1e-300)


def test_a_tail_of_many_is_that_of_the_normal_distribution() -> None:
    # 50,500 of 100,000 throws of a coin: 3.16 standard deviations.
    assert at_least(50_500, 100_000, 0.5) == pytest.approx(math.erfc(499.5 / math.sqrt(50_000)) / 2, rel=0.01)


@pytest.mark.parametrize("ratio", [0.05, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("wrong", [0.0, 1e-6, 0.003, 0.04])
def test_so_many_calls_are_needed_that_chance_seldom_opens_it(ratio: float, wrong: float) -> None:
    found = calls_needed(ratio, wrong, 1e-9, 10, 100_000)
    assert found is not None

    def chance(trials: int) -> float:
        return at_least(math.ceil(ratio * trials - 1e-9), trials, wrong)

    assert chance(found) <= 1e-9
    # A share of fewer calls may be as rare, since a share of few is rounded up; but of far fewer none is.
    assert found == 10 or all(chance(fewer) > 1e-9 for fewer in range(10, int(found * 0.8)))


def test_no_number_of_calls_tells_what_is_no_difference() -> None:
    assert calls_needed(0.5, 0.5, 1e-9, 10, 100_000) is None
    assert calls_needed(0.5, 0.499, 1e-9, 10, 100_000) is None
    assert calls_needed(0.1, 0.2, 1e-9, 10, 100_000) is None
    assert calls_needed(1.0, 0.1, 1e-9, 10, 100_000) == 10
    assert calls_needed(1.0, 0.5, 1e-9, 10, 100_000) == 30
    assert calls_needed(0.5, 0.3, 1e-9, 10, 100) is None


@given(st.floats(1e-6, 1e9), st.integers(1, 4))
def test_rounding_keeps_so_many_digits_and_its_side(value: float, digits: int) -> None:
    up, down = rounded_up(value, digits), rounded_down(value, digits)
    near = value * 10.0 ** (1 - digits) * (1 + 1e-9)
    assert value * (1 - 1e-9) <= up <= value + near
    assert value - near <= down <= value * (1 + 1e-9)
    assert rounded_up(up, digits) == up
    assert rounded_down(down, digits) == down
    assert float(f"{up:.{digits}g}") == up


def test_what_is_a_figure_already_stays_one() -> None:
    assert [rounded_up(0.4743), rounded_up(0.9 + 1e-16), rounded_up(0.30000000000000004)] == [0.48, 0.9, 0.3]
    assert [rounded_down(0.4743), rounded_down(0.3 * 3), rounded_down(0.0833)] == [0.47, 0.9, 0.083]
