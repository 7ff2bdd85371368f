"""What nobody has looked at is said."""

from __future__ import annotations

from typing import Any

import pytest

from halfopen_generators.saga.unchecked import unchecked
from tests.saga.designs import designed


def told(**more: Any) -> list[str]:
    step = {"name": "reserve", "service": "inventory", "action": "Reserve", "compensation": "Release"}
    step |= {"reads": ["stock"], "writes": ["stock"]}
    spec = {"saga": "x", "style": "orchestration", "steps": [step | more.pop("step", {})], **more}
    return [f"{check.status}: {check.detail}" for check in unchecked(designed(spec))]


def test_isolation_that_was_not_explored_is_a_skipped_check() -> None:
    (said,) = told()
    assert said.startswith("skipped: one run alone was explored; whether two that meet on stock lose")


@pytest.mark.parametrize(
    "more",
    [{"instances": 2}, {"step": {"countermeasures": {"stock": "semantic-lock"}}}, {"step": {"writes": []}}],
    ids=["explored", "covered", "only read"],
)
def test_nothing_is_said_of_what_was_looked_at_or_can_not_happen(more: dict[str, Any]) -> None:
    assert told(**more) == []
