"""A distribution through quantiles: it goes through them, and its mean is that of what is drawn."""

from __future__ import annotations

import math
from random import Random
from statistics import fmean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halfopen_generators.breaker.latency import Latency


@st.composite
def latencies(draw: st.DrawFn) -> Latency:
    p50 = draw(st.floats(0.001, 10))
    p99 = p50 * draw(st.just(1.0) | st.floats(1, 50))
    return Latency.through(p50, p99, draw(st.none() | st.floats(1, 20).map(lambda times: p99 * times)))


@given(latencies())
def test_it_goes_through_what_is_known(latency: Latency) -> None:
    assert latency.quantile(0.5) == pytest.approx(latency.p50)
    assert latency.quantile(0.99) == pytest.approx(latency.p99)
    assert latency.quantile(0.999) == pytest.approx(latency.p999)


@given(latencies(), st.floats(0.0002, 0.9998))
def test_a_share_and_its_quantile_are_each_others_inverse(latency: Latency, share: float) -> None:
    time = latency.quantile(share)
    # Where several quantiles are one, so many take no longer; and those that take just as long don't take longer.
    assert latency.above(time * (1 + 1e-9)) <= 1 - share + 1e-6
    assert latency.above(time * (1 - 1e-9)) >= 1 - share - 1e-6


@given(latencies(), st.floats(0.0001, 1_000), st.floats(1, 10))
def test_fewer_take_longer(latency: Latency, seconds: float, times: float) -> None:
    assert 0 <= latency.above(seconds * times) <= latency.above(seconds) <= 1


def test_a_tail_behind_quantiles_that_are_one() -> None:
    # A hundredth takes longer than the 99th percentile, though all the others take exactly that.
    latency = Latency(0.01, 0.01, 1.0)
    assert latency.above(0.01) == pytest.approx(0.01)
    assert latency.above(0.00999) == 1.0
    assert latency.above(1.0) == pytest.approx(0.001)
    same = Latency(0.01, 0.01, 0.01)
    assert [same.above(0.00999), same.above(0.01), same.above(1.0)] == [1.0, 0.0, 0.0]
    assert same.mean == pytest.approx(0.01)


def test_without_a_third_quantile_it_is_log_normal() -> None:
    latency = Latency.through(0.04, 0.25, None)
    slope = math.log(0.25 / 0.04) / 2.3263478740408408
    # The mean of a log-normal distribution, but for what the last ten-thousandth would add.
    assert latency.mean == pytest.approx(0.04 * math.exp(slope**2 / 2), rel=1e-3)
    assert latency.p999 == pytest.approx(0.04 * math.exp(slope * 3.090232306167813))


@settings(max_examples=30, deadline=None)
@given(latencies())
def test_the_mean_is_that_of_twenty_thousand_equal_shares(latency: Latency) -> None:
    steps = 20_000
    summed = fmean(latency.quantile((step + 0.5) / steps) for step in range(steps))
    assert latency.mean == pytest.approx(summed, rel=0.01)


def test_what_is_drawn_has_that_mean_and_those_quantiles() -> None:
    latency, numbers = Latency(0.04, 0.25, 0.9), Random(7)  # noqa: S311 - nothing is to be kept secret
    drawn = sorted(latency.draw(numbers) for _ in range(100_000))
    assert fmean(drawn) == pytest.approx(latency.mean, rel=0.02)
    assert drawn[50_000] == pytest.approx(0.04, rel=0.02)
    assert drawn[99_000] == pytest.approx(0.25, rel=0.05)
    assert drawn[99_900] == pytest.approx(0.9, rel=0.15)
    # What is beyond the quantiles that were measured is bounded.
    assert drawn[-1] <= latency.quantile(1 - 1e-4)


def test_no_spread_is_too_wide_to_be_summed() -> None:
    wide = Latency(0.001, 0.001, 31_536_000.0)
    assert math.isfinite(wide.mean)
    assert math.isfinite(Latency(0.001, 31_536_000.0, 31_536_000.0).mean)
