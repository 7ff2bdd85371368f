"""What holds where a library plays a part of a policy only, in another order, or of a call with a strange name."""

from __future__ import annotations

import dataclasses
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halfopen_generators.breaker.plan import Layer
from halfopen_generators.breaker.spec import Stack
from tests.breaker.dialects.libraries.laws import everything, files, left_out, wrong
from tests.breaker.dialects.libraries.test_golden import LIBRARIES
from tests.breaker.plans import BREAKER, call

PARTS: tuple[Layer, ...] = get_args(Layer)
# A fallback stands around all of it, and a try's time-out is the one thing that may be innermost.
INNER = [layer for layer in PARTS if layer != "fallback"]


@pytest.mark.parametrize("stack", LIBRARIES)
@given(parts=st.frozensets(st.sampled_from(PARTS)))
@settings(max_examples=25, deadline=None)
def test_a_share_is_what_is_read(stack: Stack, parts: frozenset[Layer]) -> None:
    share = everything().only(parts)
    assert wrong(stack, share) == []
    assert ("per_try" in left_out(stack, share)) == ("timeout" not in parts)


@pytest.mark.parametrize("stack", LIBRARIES)
@given(order=st.permutations(INNER))
@settings(max_examples=25, deadline=None)
def test_another_order_is_what_is_read(stack: Stack, order: list[Layer]) -> None:
    assert wrong(stack, everything(layers=("fallback", *order))) == []


@pytest.mark.parametrize("stack", LIBRARIES)
def test_a_fallback_that_no_layer_serves_is_none(stack: Stack) -> None:
    plan = dataclasses.replace(call(), fallback="none")
    assert wrong(stack, plan) == []
    assert files(stack, plan) == files(stack, call())


@pytest.mark.parametrize("stack", LIBRARIES)
def test_a_breaker_without_a_probe_gets_one(stack: Stack) -> None:
    plan = call(breaker=dataclasses.replace(BREAKER, probes=0))
    assert "probes" in left_out(stack, plan)
    assert wrong(stack, plan) == []


@pytest.mark.parametrize("stack", LIBRARIES)
@pytest.mark.parametrize(
    ("dependency", "operation"), [("new", "class"), ("a.b-c_9", "run_test"), ("X" * 64, "Y" * 64), ("payment", "Linux")]
)
def test_a_strange_name_is_no_matter(stack: Stack, dependency: str, operation: str) -> None:
    plan = everything(dependency=dependency, operation=operation, key="class")
    assert wrong(stack, plan) == []
    assert not [path for path in files(stack, plan) if path.endswith(("_test.go", "_linux.go"))]
