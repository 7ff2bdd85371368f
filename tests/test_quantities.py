"""Shares and rates: what is read is what is written, and what isn't one is told so."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from halfopen.quantities import Rate, Share, spell_rate, spell_share

share = TypeAdapter(Share).validate_python
rate = TypeAdapter(Rate).validate_python


@pytest.mark.parametrize(
    ("text", "value"), [("0.2%", 0.002), ("50%", 0.5), (" 100 % ", 1.0), ("0%", 0.0), ("33.33%", 0.3333)]
)
def test_a_share_is_read(text: str, value: float) -> None:
    assert share(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [("200/s", 200.0), ("30/min", 0.5), ("30/m", 0.5), ("10 / h", 10 / 3600), ("1/d", 1 / 86_400), ("0.5/s", 0.5)],
)
def test_a_rate_is_read(text: str, value: float) -> None:
    assert rate(text) == pytest.approx(value)


@pytest.mark.parametrize("value", ["0.2", 0.2, 1, True, None, "-1%", "1,5%", "%", "1e1%", "nan%", "٣%", "", [], "1%%"])
def test_what_is_no_share_is_told_so(value: Any) -> None:
    with pytest.raises(ValidationError, match="a share is written in percent"):
        share(value)


@pytest.mark.parametrize(
    "value", ["200", 200, None, "-1/s", "1/", "/s", "1/week", "1/S", "1e3/s", "inf/s", "1/s/s", {}]
)
def test_what_is_no_rate_is_told_so(value: Any) -> None:
    with pytest.raises(ValidationError, match="a rate is a number and what it is counted in"):
        rate(value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0/s", "more than nothing"),
        ("0.0/h", "more than nothing"),
        ("10000001/s", "at most 10000000/s"),
        ("0.0001/d", "at least 0.001/d"),
        ("9" * 400 + "/s", "at most 10000000/s"),
        ("0." + "0" * 400 + "1/d", "more than nothing"),
    ],
)
def test_a_rate_is_something_and_not_everything(text: str, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        rate(text)


@pytest.mark.parametrize("text", ["100.1%", "1000%", "9" * 400 + "%"])
def test_a_share_is_at_most_all(text: str) -> None:
    with pytest.raises(ValidationError, match="at most 100%"):
        share(text)


@given(st.floats(0, 1))
def test_a_share_reads_back_as_the_same_number(value: float) -> None:
    assert share(spell_share(value)) == value


@given(st.floats(1 / 86_400, 10_000_000))
def test_a_rate_reads_back_to_four_digits(value: float) -> None:
    text = spell_rate(value)
    assert rate(text) == pytest.approx(value, rel=6e-4)
    assert len(text) <= len("10000000/s")


def test_they_are_spelt_as_they_are_written() -> None:
    assert [spell_share(number) for number in (0.002, 0.5, 1.0, 0.0, 1e-05)] == ["0.2%", "50%", "100%", "0%", "0.001%"]
    assert [spell_rate(number) for number in (200.0, 0.5, 10 / 3600, 1e6)] == ["200/s", "30/min", "10/h", "1000000/s"]
