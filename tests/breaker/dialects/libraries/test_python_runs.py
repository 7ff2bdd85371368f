"""The generated Python, type-checked, linted, and run against dependencies that fail in every way."""

from __future__ import annotations

import asyncio
import dataclasses
import importlib
import itertools
import sys
from collections.abc import Awaitable, Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halfopen_generators.breaker.plan import BulkheadPlan, CallPlan, HedgePlan, LimitPlan, RetryPlan, TimeoutPlan
from tests.breaker.dialects.libraries.laws import ALONE, everything, files, retrying_rejections
from tests.breaker.dialects.libraries.projects import laid_out, ran
from tests.breaker.plans import BREAKER, call
from tests.oracles import require

pytestmark = pytest.mark.oracle

ON = ("unreached", "unavailable", "timeout")
# Short, so that the runs are: nothing is concluded from how long they take.
PLAN = dataclasses.replace(
    everything(),
    timeout=TimeoutPlan(0.2, 0.5),
    retry=RetryPlan(4, 0.01, 1.5, 0.02, "full", 0.25, ON),
    breaker=BREAKER,
    bulkhead=BulkheadPlan(7),
    limit=LimitPlan(1000),
    hedge=None,
)
Remote = Callable[[str, str], Awaitable[str]]


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ModuleType, ModuleType]]:
    """The call's module and the shared one."""
    for name in ("tenacity", "aiolimiter"):
        require(name, available=importlib.util.find_spec(name) is not None, how_to_get="uv sync --extra oracles")
    folder = tmp_path_factory.mktemp("python")
    laid_out(files("python", PLAN), folder)
    sys.path.insert(0, str(folder / "python"))
    try:
        yield importlib.import_module("payment_charge_card_call"), importlib.import_module("resilience")
    finally:
        sys.path.remove(str(folder / "python"))
        for name in ("payment_charge_card_call", "resilience"):
            sys.modules.pop(name, None)


@pytest.mark.parametrize(
    "plan",
    [
        everything(),
        PLAN,
        retrying_rejections(),
        dataclasses.replace(call(), key=None),
        call(retry=None, hedge=HedgePlan(0.1)),
        call(retry=None, breaker=None, bulkhead=None),
        *ALONE,
    ],
)
def test_it_is_typed_and_clean(plan: CallPlan, tmp_path: Path) -> None:
    for name in ("mypy", "ruff"):
        require(name, available=importlib.util.find_spec(name) is not None, how_to_get="uv sync --extra dev")
    laid_out(files("python", plan), tmp_path)
    folder = tmp_path / "python"
    python = Path(sys.executable)
    ran([python, "-m", "mypy", "--strict", "."], folder)
    chosen = "E,F,W,I,N,B,UP,SIM,RUF,ASYNC,C4,RET,PIE"
    ran([python, "-m", "ruff", "check", "--isolated", "--select", chosen, "--target-version", "py311", "."], folder)
    ran([python, "-m", "ruff", "format", "--isolated", "--check", "."], folder)


def test_the_pinned_versions_are_those_it_is_run_with() -> None:
    pinned = dict(line.split("==") for line in files("python", PLAN)["python/requirements.txt"].splitlines() if line)
    for name in pinned:
        there = importlib.util.find_spec(name) is not None
        require(name, available=there, how_to_get="uv sync --extra oracles")
    assert pinned == {name: version(name) for name in pinned}


def guarded(modules: tuple[ModuleType, ModuleType], remote: Remote) -> Any:
    async def instead(_: str, failure: Exception) -> str:
        return f"instead, for {type(failure).__name__}"

    return modules[0].PaymentChargeCard(remote, instead)


def failing(with_what: Callable[[], Exception], keys: list[str], *, times: float = float("inf")) -> Remote:
    async def remote(_: str, key: str) -> str:
        keys.append(key)
        if len(keys) <= times:
            raise with_what()
        return "charged"

    return remote


def test_a_failure_is_tried_again_with_the_same_key(modules: tuple[ModuleType, ModuleType]) -> None:
    keys: list[str] = []
    made = guarded(modules, failing(lambda: modules[1].Unavailable("503"), keys, times=2))
    assert asyncio.run(made("card", "order-7")) == "charged"
    assert keys == ["order-7"] * 3


def test_an_answer_is_no_failure(modules: tuple[ModuleType, ModuleType]) -> None:
    keys: list[str] = []
    made = guarded(modules, failing(lambda: PermissionError("card refused"), keys))
    with pytest.raises(PermissionError):
        asyncio.run(made("card", "order-7"))
    assert (len(keys), made.breaker.state) == (1, "closed")


def test_it_opens_and_nothing_repeats_the_rejection(modules: tuple[ModuleType, ModuleType]) -> None:
    async def run() -> tuple[int, str, int]:
        keys: list[str] = []
        made = guarded(modules, failing(lambda: modules[1].Unreached("refused"), keys))
        for number in itertools.count():
            await made("card", f"order-{number}")
            if made.breaker.state == "open":
                break
        before = len(keys)
        return before, await made("card", "order-x"), len(keys) - before

    assert asyncio.run(run()) == (20, "instead, for BreakerOpen", 0)


def test_the_budget_bounds_the_tries(modules: tuple[ModuleType, ModuleType]) -> None:
    async def run() -> int:
        keys: list[str] = []
        made = guarded(modules, failing(lambda: modules[1].Unreached("refused"), keys))
        while made._budget.spend():
            pass
        # Four calls pay for one retry.
        for number in range(4):
            await made("card", f"order-{number}")
        return len(keys)

    assert asyncio.run(run()) == 4 + 1


def test_one_call_too_many_is_refused_and_not_counted(modules: tuple[ModuleType, ModuleType]) -> None:
    async def run() -> tuple[list[str], int]:
        go = asyncio.Event()

        async def waiting(_: str, __: str) -> str:
            await go.wait()
            return "charged"

        made = guarded(modules, waiting)
        under_way = [asyncio.ensure_future(made("card", f"order-{number}")) for number in range(8)]
        await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
        go.set()
        return sorted(await asyncio.gather(*under_way)), len(made.breaker._last)

    assert asyncio.run(run()) == (["charged"] * 7 + ["instead, for BulkheadFull"], 7)


def test_nothing_goes_on_after_the_deadline(modules: tuple[ModuleType, ModuleType]) -> None:
    async def run() -> tuple[str, int, int]:
        begun, ended = [], []

        async def endless(_: str, key: str) -> str:
            begun.append(key)
            try:
                await asyncio.sleep(60)
            finally:
                ended.append(key)
            return "too late"

        return await guarded(modules, endless)("card", "order-9"), len(begun), len(ended)

    answer, begun, ended = asyncio.run(run())
    assert answer == "instead, for TimeoutError"
    assert begun == ended > 1


def test_the_wait_is_drawn_between_nothing_and_the_backoff(modules: tuple[ModuleType, ModuleType]) -> None:
    from tenacity import RetryCallState

    made = guarded(modules, failing(lambda: modules[1].Unreached(""), []))
    for attempt, longest in enumerate((0.01, 0.015, 0.02), start=1):
        state = RetryCallState(made._retrying, None, (), {})
        state.attempt_number = attempt
        waits = [made._retrying.wait(state) for _ in range(2000)]
        assert max(waits) <= longest
        assert min(waits) < 0.1 * longest < 0.9 * longest < max(waits)


def test_a_slow_try_is_joined_by_a_second(modules: tuple[ModuleType, ModuleType]) -> None:
    resilience = modules[1]

    async def run(*, budget: float) -> tuple[str, int]:
        tries: list[int] = []

        async def answering() -> str:
            tries.append(len(tries))
            if len(tries) == 1:
                await asyncio.sleep(0.3)
            return f"of try {len(tries)}"

        saved = resilience.RetryBudget(0.1, most_saved=budget)
        return await resilience.hedged(0.01, saved, answering)(), len(tries)

    assert asyncio.run(run(budget=1)) == ("of try 2", 2)
    assert asyncio.run(run(budget=0)) == ("of try 1", 1)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@given(
    st.lists(st.tuples(st.floats(0, 3), st.booleans()), max_size=60),
    st.sampled_from([{"window_seconds": 5.0}, {"window_calls": 6}]),
    st.integers(1, 6),
    st.sampled_from([0.25, 0.5, 1.0]),
)
@settings(max_examples=200, deadline=None)
def test_the_breaker_opens_when_the_share_of_its_window_is_reached(
    modules: tuple[ModuleType, ModuleType],
    calls: list[tuple[float, bool]],
    window: dict[str, Any],
    minimum: int,
    ratio: float,
) -> None:
    """What is written down here once more: all calls so far, cut to the window, counted anew for each."""
    resilience, clock, seen = modules[1], Clock(), []
    breaker = resilience.Breaker(
        failure_ratio=ratio, minimum_calls=minimum, open_for=1e9, probes=1, clock=clock, **window
    )

    async def run() -> None:
        for wait, fails in calls:
            clock.now += wait

            async def once(*, fails: bool = fails) -> None:
                if fails:
                    raise resilience.Unreached

            with pytest.raises(resilience.Unreached) if fails else _nothing():
                await breaker.guard(once)()
            seen.append((clock.now, fails))
            if "window_calls" in window:
                counted = seen[-window["window_calls"] :]
            else:
                counted = [one for one in seen if one[0] > clock.now - window["window_seconds"]]
            failed = sum(failed for _, failed in counted)
            opens = len(counted) >= minimum and failed >= ratio * len(counted)
            assert (breaker.state == "open") == opens
            if opens:
                return

    asyncio.run(run())


@pytest.mark.parametrize(("fail", "state"), [(0, "closed"), (1, "closed"), (2, "open"), (3, "open")])
def test_probes_decide_together(modules: tuple[ModuleType, ModuleType], fail: int, state: str) -> None:
    resilience, clock = modules[1], Clock()
    breaker = resilience.Breaker(failure_ratio=0.5, minimum_calls=1, open_for=5, probes=3, window_calls=10, clock=clock)

    async def answer(*, fails: bool) -> None:
        await asyncio.sleep(0)
        if fails:
            raise resilience.Unavailable

    async def run() -> list[str]:
        with pytest.raises(resilience.Unavailable):
            await breaker.guard(lambda: answer(fails=True))()
        with pytest.raises(resilience.BreakerOpen):
            await breaker.guard(lambda: answer(fails=False))()
        clock.now += 5
        probes = [breaker.guard(lambda number=number: answer(fails=number < fail))() for number in range(4)]
        return [type(one).__name__ for one in await asyncio.gather(*probes, return_exceptions=True)]

    ended = asyncio.run(run())
    assert ended.count("BreakerOpen") == 1
    assert ended.count("Unavailable") == fail
    assert breaker.state == state


def test_a_probe_that_was_given_up_makes_room_for_another(modules: tuple[ModuleType, ModuleType]) -> None:
    resilience, clock = modules[1], Clock()
    breaker = resilience.Breaker(failure_ratio=0.5, minimum_calls=1, open_for=5, probes=1, window_calls=10, clock=clock)

    async def run() -> str:
        async def fail() -> None:
            raise resilience.Unavailable

        with pytest.raises(resilience.Unavailable):
            await breaker.guard(fail)()
        clock.now += 5
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(breaker.guard(lambda: asyncio.sleep(60))(), 0.01)
        await breaker.guard(lambda: asyncio.sleep(0))()
        return str(breaker.state)

    assert asyncio.run(run()) == "closed"


class _nothing:  # noqa: N801 - stands where pytest.raises does
    def __enter__(self) -> None: ...
    def __exit__(self, *_: object) -> None: ...
