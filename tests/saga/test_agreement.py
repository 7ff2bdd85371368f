"""Two independent opinions on one table of specs: the project's checker and spin, property by property.

Our checker explores nothing beyond a broken promise, so where one is broken it leaves others undecided. What it does
say has to be what spin says: what it calls violated is broken, what it says holds is not, and it finds something
exactly where there is something to find.
"""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from halfopen.progress import Silent
from halfopen.vocabulary import Outcome
from halfopen_generators.saga.options import SagaOptions
from halfopen_generators.saga.verify import verify
from tests.saga.promela.opinion import spin_says
from tests.saga.promela.promela import PROPERTIES
from tests.saga.promela.table import designed, table

# The checker's names of the properties, by their number in PROTOCOL.md.
NUMBER = {
    "all or compensated": 1,
    "no effect twice": 2,
    "no compensation of what never ran does harm": 3,
    "no action after its compensation": 4,
    "compensations in order": 5,
    "no way back behind the pivot": 6,
    "every fair run ends": 7,
}


def our_checker_says(name: str, *, exact: bool) -> Mapping[int, Outcome]:
    """The checker's verdict on each property."""
    verdicts = verify(designed(name), SagaOptions(exact=exact), Silent()).verdicts
    return {NUMBER[verdict.property]: verdict.outcome for verdict in verdicts if verdict.property in NUMBER}


def those(said: Mapping[int, Outcome], outcome: Outcome) -> set[int]:
    """The properties with that outcome."""
    return {number for number, found in said.items() if found == outcome}


@pytest.mark.oracle
@pytest.mark.parametrize("name", sorted(table()))
def test_exactly_bounded_both_say_the_same(name: str) -> None:
    run = spin_says(name)
    assert run.complete, run.why_incomplete
    broken = run.broken
    ours = our_checker_says(name, exact=True)
    assert set(ours) == set(PROPERTIES)
    assert those(ours, Outcome.VIOLATED) <= broken
    assert not those(ours, Outcome.HOLDS) & broken
    assert bool(those(ours, Outcome.VIOLATED)) == bool(broken)
    if not broken:
        assert those(ours, Outcome.HOLDS) == set(PROPERTIES)


@pytest.mark.oracle
@pytest.mark.parametrize("name", sorted(table()))
def test_without_bounds_nothing_holds_that_spin_can_break(name: str) -> None:
    run = spin_says(name)
    assert run.complete, run.why_incomplete
    broken = run.broken
    ours = our_checker_says(name, exact=False)
    assert set(ours) == set(PROPERTIES)
    assert not those(ours, Outcome.HOLDS) & broken
    assert those(ours, Outcome.VIOLATED) or not broken
