"""What goes wrong in the simulation, how much of a load it takes, and what the study says of the payment."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from halfopen.checkers.simulate import Simulation
from halfopen.progress import Silent
from halfopen_generators.breaker.formulas import blocked
from halfopen_generators.breaker.latency import Latency
from halfopen_generators.breaker.plan import BreakerPlan, BulkheadPlan, Known, LimitPlan
from halfopen_generators.breaker.simulation.dependency import Dependency
from halfopen_generators.breaker.simulation.draws import Draws
from halfopen_generators.breaker.simulation.measures import Course, Measures, Outcome
from halfopen_generators.breaker.simulation.run import thinned, times
from halfopen_generators.breaker.simulation.scale import scale
from halfopen_generators.breaker.simulation.scenarios import Trouble, scenarios
from halfopen_generators.breaker.simulation.study import DESIGN, Cell, Study, policies, study
from tests.breaker import plans
from tests.breaker.support_design import PAYMENT, a_dialect, answered, asked, dialects

__all__ = ["dialects"]
pytestmark = pytest.mark.usefixtures("dialects")

TROUBLES = scenarios(plans.KNOWN, 20.0)
every = pytest.mark.parametrize("trouble", TROUBLES.values(), ids=list(TROUBLES))


@every
@given(time=st.floats(-1e6, 1e6))
def test_outside_of_its_time_no_trouble_is_there(trouble: Trouble, time: float) -> None:
    inside = 0 <= time < trouble.until + 5
    if not inside:
        assert trouble.slower(time) == 1.0
        assert trouble.fails(time) == 0.0
        assert trouble.busier(time, 0.7) == 1.0
        assert not trouble.bad_part(time)
    down = trouble.goes_down(time)
    assert down >= time
    if down < math.inf:
        # It is down then, and up again once it is over: nothing is swallowed for ever.
        assert trouble.goes_down(down) == down
        again = trouble.up_again(down)
        assert down < again <= trouble.until
        assert trouble.goes_down(again) > again


def test_what_each_trouble_does() -> None:
    outage, flapping, herd = TROUBLES["outage"], TROUBLES["flapping"], TROUBLES["herd"]
    assert [outage.goes_down(time) for time in (-3.0, 0.0, 19.9, 20.0)] == [0.0, 0.0, 19.9, math.inf]
    assert [flapping.goes_down(time) for time in (-1.0, 4.9, 5.0, 12.0, 15.0)] == [0.0, 4.9, 10.0, 12.0, math.inf]
    assert [flapping.up_again(time) for time in (0.0, 4.9, 12.0)] == [5.0, 5.0, 15.0]
    assert [TROUBLES["brownout"].slower(time) for time in (-0.1, 0.0, 19.9, 20.0)] == [1.0, 10.0, 10.0, 1.0]
    assert [TROUBLES["leak"].slower(time) for time in (0.0, 10.0, 20.0)] == [1.0, 10.5, 1.0]
    assert [TROUBLES["errors"].fails(time) for time in (-0.1, 0.0, 20.0)] == [0.0, 0.1, 0.0]
    assert [TROUBLES["bad part"].bad_part(time) for time in (-0.1, 0.0, 20.0)] == [False, True, False]
    assert [TROUBLES["overload"].busier(time, 0.5) for time in (-0.1, 0.0, 20.0)] == [1.0, 2.6, 1.0]
    # A dependency that is hardly used isn't overloaded by this caller alone.
    assert TROUBLES["overload"].busier(1.0, 1e-4) == 10.0
    idle = scenarios(replace(plans.KNOWN, capacity=1e6), 20.0)["overload"]
    assert idle.what == "10 times as much is asked for as usual; then the usual load again"
    assert TROUBLES["overload"].what == "130% of what it can do is asked for; then the usual load again"
    assert [herd.busier(time, 0.5) for time in (19.9, 20.0, 24.9, 25.0)] == [1.0, 3.0, 3.0, 1.0]
    assert [herd.slower(time) for time in (19.9, 20.0, 24.9, 25.0)] == [1.0, 3.0, 3.0, 1.0]
    assert {name: trouble.over for name, trouble in TROUBLES.items()}["herd"] == 25.0
    assert TROUBLES["bad part"].what == "one of 3 hosts refuses all calls"
    assert scenarios(replace(plans.KNOWN, shards=8), 20.0)["bad part"].title == "one bad shard"


class Fixed(Latency):
    def draw(self, _: Any) -> float:
        return self.p50


def answers(scenario: Any, takes: float, arrivals: list[float], servers: int = 1, part: int = 1) -> list[Any]:
    """When tries are answered that take so long, in a trouble from 10 to 30 s; None: badly."""
    simulation = Simulation()
    dependency = Dependency(simulation, servers, Draws(0, Fixed(takes, takes, takes)), 0.0, TROUBLES[scenario], 10.0)
    found = []
    for time in arrivals:
        simulation.run(time)
        ends, good = dependency.answers(part)
        found.append(round(ends, 6) if good else -round(ends, 6))
    return found


def test_an_outage_takes_what_is_served_what_waits_and_what_comes() -> None:
    # Served before; being served; waiting, which would be served after it; coming; and coming when it is over.
    assert answers("outage", 2.0, [7.0, 9.0, 9.5, 15.0, 30.0]) == [9.0, -30.0, -30.0, -30.0, 32.0]
    # However long it would take: none is served through an outage.
    assert answers("outage", 25.0, [9.0, 30.0], servers=2) == [-30.0, 55.0]
    assert answers("flapping", 6.0, [9.0, 15.0, 16.0, 26.0], servers=9) == [-15.0, -25.0, -25.0, 32.0]


def test_a_bad_part_refuses_at_once_and_the_others_serve() -> None:
    assert answers("bad part", 1.0, [5.0, 15.0, 35.0], part=0) == [6.0, -15.001, 36.0]
    assert answers("bad part", 1.0, [5.0, 15.0, 35.0], part=1) == [6.0, 16.0, 36.0]


def test_slowness_is_that_of_the_time_when_service_begins() -> None:
    assert answers("brownout", 1.0, [9.5, 11.0, 12.0, 35.0]) == [10.5, 21.0, 31.0, 36.0]


@given(
    st.floats(0.001, 100), st.sampled_from(list(TROUBLES)), st.lists(st.floats(0, 3), max_size=60), st.integers(1, 4)
)
def test_every_answer_comes_and_none_before_its_question(
    takes: float, scenario: Any, gaps: list[float], servers: int
) -> None:
    arrivals = [sum(gaps[:number]) for number in range(len(gaps))]
    found = answers(scenario, takes, arrivals, servers, part=0)
    for time, ends in zip(arrivals, found, strict=True):
        assert time - 1e-6 <= abs(ends) <= max(arrivals[-1], 30.0) + takes * 20 * (len(gaps) + 1)


RATES = st.sampled_from([1 / 86_400, 10 / 3600, 0.5, 20.0, 200.0, 50_000.0, 1e7])


@st.composite
def knowns(draw: st.DrawFn) -> Known:
    p50 = draw(st.sampled_from([0.001, 0.04, 1.0, 60.0, 3600.0]))
    p99 = p50 * draw(st.sampled_from([1.0, 6.0, 100.0]))
    rate = draw(RATES)
    capacity = rate * draw(st.sampled_from([0.5, 1.01, 1.5, 1e6]))
    return replace(plans.KNOWN, rate=rate, instances=draw(st.sampled_from([1, 2, 6, 100_000])), p50=p50, p99=p99,
                   p999=p99 * 2, capacity=capacity, shards=draw(st.sampled_from([1, 8, 10_000])))  # fmt: skip


@given(knowns())
def test_so_much_is_simulated_that_it_ends_and_has_the_same_utilisation(known: Known) -> None:
    load = scale(known)
    mean = Latency(known.p50, known.p99, known.p999).mean
    assert 1 <= load.instances <= min(100, known.instances)
    # Servers are rounded to whole ones, and the rate with them.
    assert load.total <= 70 * 1.5
    assert load.servers <= 75
    assert 0 < load.thinned <= 1
    utilisation = load.total * mean / load.servers
    if load.servers > 1:
        assert utilisation == pytest.approx(load.utilisation)
    else:
        assert utilisation <= load.utilisation * 1.5
    # What is hardly busy at all is simulated as a tenth busy.
    assert load.utilisation == max(0.1, known.rate / known.capacity)
    if load.thinned == 1:
        # A whole instance has its own traffic, but for whole servers.
        assert load.rate == pytest.approx(known.each, rel=0.5)
    when = times(plans.call(known=known), load)
    assert when.ends * load.total < 50_000
    assert 0 < when.begins < when.until < when.ends


def test_who_calls_ten_times_an_hour_is_simulated_so() -> None:
    call = asked(traffic={"rate": "10/h", "instances": 2})
    load = scale(call.known)
    assert (load.instances, load.rate) == (2, pytest.approx(10 / 3600 / 2))


def test_a_long_window_is_not_filled_for_hours() -> None:
    call = asked(breaker={"size": "8760h"})
    when = times(call, scale(call.known))
    assert when.begins * scale(call.known).total == pytest.approx(10_000)


def test_a_thinned_instance_refuses_and_counts_as_the_whole_one_does() -> None:
    # 1000/s that all take 50 ms: 50 are under way, and 75 places refuse few of them. So do more than 75 x 7%.
    known = replace(plans.KNOWN, rate=1_000.0, instances=1, capacity=1_500.0, p50=0.05, p99=0.05, p999=0.05)
    breaker = BreakerPlan("count", 10_000, 5_000, 0.5, None, None, 5.0, 3)
    plan = plans.call(known=known, bulkhead=BulkheadPlan(80), breaker=breaker, limit=LimitPlan(500.0))
    load = scale(known)
    assert load.thinned < 0.1
    own = thinned(plan, load)
    assert own.bulkhead
    assert blocked(own.bulkhead.concurrent, 50 * load.thinned) <= blocked(80, 50.0)
    assert own.bulkhead.concurrent < 20
    assert own.limit
    assert own.limit.rate == pytest.approx(500 * load.thinned)
    assert own.breaker
    assert (own.breaker.size, own.breaker.minimum_calls) == (
        math.ceil(10_000 * load.thinned), math.ceil(5_000 * load.thinned)
    )  # fmt: skip
    # What is reached in a second of the whole traffic is reached of the thinned one, too.
    quick = thinned(replace(plan, breaker=replace(breaker, window="time", size=1.0, minimum_calls=500)), load)
    assert quick.breaker
    assert quick.breaker.minimum_calls <= load.rate
    usual = thinned(replace(plan, breaker=replace(breaker, window="time", size=10.0, minimum_calls=20)), load)
    assert usual.breaker
    assert (usual.breaker.size, usual.breaker.minimum_calls) == (10.0, 20)


def test_where_all_calls_take_the_same_time_the_timeout_leaves_room_for_a_queue() -> None:
    call = asked(latency={"p50": "50ms", "p99": "50ms"}, traffic={"rate": "1000/s"})
    assert call.timeout.per_try == 0.1
    found = study(call, 1, Silent())
    (one,) = found.cells["errors", DESIGN].outcomes
    assert one.false_opens == 0
    # Were it 50 ms too, all that waits at all would be cut off: 0.06.
    assert one.goodput > 0.9


def measured(good: list[float], *, deadline: float = 1.0, begins: float = 10.0) -> Outcome:
    """A run of twenty calls a second in which that share of each second's calls is answered well, at once."""
    measures = Measures(begins, 20.0, float(len(good)), deadline, 20.0)
    for second, share in enumerate(good):
        for number in range(20):
            now = second + number / 20
            measures.came(now)
            measures.over(now, now + 0.01, good=number < 20 * share)
    return measures.outcome(400)


def test_what_is_measured_of_a_run() -> None:
    found = measured([1.0] * 10 + [0.0] * 14 + [1.0] * 16)
    assert found.goodput == pytest.approx(16 / 30)
    assert found.recovered == 4.0
    assert found.amplification == pytest.approx(400 / 600)
    assert (found.p50, found.p99) == (pytest.approx(0.01), pytest.approx(0.01))
    assert measured([1.0] * 40).recovered == 0.0
    assert measured([1.0] * 38 + [0.0] * 2).recovered is None
    # A long deadline is no reason not to see it.
    assert measured([1.0] * 10 + [0.0] * 14 + [1.0] * 16, deadline=300.0).recovered == 4.0
    # As well as before is well, though a third always fails.
    always = [0.65, 0.7, 0.6, 0.7, 0.65, 0.7, 0.6, 0.65, 0.7, 0.65]
    assert measured(always + [0.0] * 12 + always * 2).recovered == 2.0


def test_a_mean_has_the_interval_of_student() -> None:
    def outcome(goodput: float) -> Outcome:
        return Outcome(goodput, 0.1, math.inf, 1.0, None, 0, None, 0.0, Course(1.0, (), ()))

    cell = Cell(tuple(outcome(value) for value in (0.5, 0.6, 0.7)))
    mean = cell.mean(lambda one: one.goodput)
    assert (mean.value, mean.half) == (pytest.approx(0.6), pytest.approx(4.303 * 0.1 / math.sqrt(3)))
    assert cell.mean(lambda one: one.p99).half == 0.0
    assert (cell.recovers, cell.seen(lambda one: one.opened)) == (0, ())
    assert Cell(cell.outcomes[:1]).mean(lambda one: one.goodput).half == 0.0


def test_the_bare_policies_have_nothing_that_bounds_them() -> None:
    played = policies(plans.call())
    assert played["nothing"].timeout.overall == math.inf
    assert played["retries only"].retry
    # No budget is no budget, and not one of as many retries as calls.
    assert played["retries only"].retry.budget == math.inf
    assert played["usual figures"].breaker
    assert played[DESIGN] == plans.call()


@pytest.fixture(scope="module")
def found() -> Study:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("halfopen_generators.breaker.shares.dialect", a_dialect)
        call = answered(PAYMENT).call
    return study(call, 1, Silent())


def row(found: Study, scenario: Any) -> list[str]:
    """Goodput, tries a call and seconds until all is well again, of each policy."""
    lines = []
    for name in found.played:
        (one,) = found.cells[scenario, name].outcomes
        well = "never" if one.recovered is None else f"{one.recovered:g} s"
        lines.append(f"{name}: {one.goodput:.2f}, {one.amplification:.1f}, {well}")
    return lines


def test_the_usual_retries_never_end_an_overload_that_the_design_ends(found: Study) -> None:
    """Metastable: what caused it is gone, and the retries that it caused keep it up."""
    assert row(found, "herd") == snapshot(
        [
            "nothing: 0.17, 1.0, 25 s",
            "retries only: 0.01, 3.3, never",
            "usual figures: 0.27, 0.4, 18 s",
            "the design: 0.48, 0.5, 6 s",
        ]
    )
    assert row(found, "brownout") == snapshot(
        [
            "nothing: 0.17, 1.0, 27 s",
            "retries only: 0.01, 3.3, never",
            "usual figures: 0.31, 0.5, 19 s",
            "the design: 0.59, 0.6, 4 s",
        ]
    )
    assert row(found, "outage") == snapshot(
        [
            "nothing: 0.64, 1.0, 0 s",
            "retries only: 0.02, 3.0, never",
            "usual figures: 0.32, 0.5, 18 s",
            "the design: 0.59, 0.7, 3 s",
        ]
    )


def test_the_design_is_nowhere_the_worst_and_in_most_troubles_the_best(found: Study) -> None:
    best = 0
    for scenario in found.troubles:
        goodput = {name: found.cells[scenario, name].outcomes[0].goodput for name in found.played}
        assert goodput[DESIGN] > min(goodput.values())
        best += goodput[DESIGN] == max(goodput.values())
    assert best >= 5
    assert all(found.cells[scenario, DESIGN].recovers for scenario in found.troubles)
    assert all(0 <= one.goodput <= 1 for cell in found.cells.values() for one in cell.outcomes)


def test_a_study_that_is_cancelled_says_what_it_has_seen() -> None:
    class Told(Silent):
        runs = 0

        def report(self, done: int, what: str) -> None:
            assert what == "runs simulated"
            self.runs = done

        def cancelled(self) -> bool:
            return self.runs >= 2

    told = Told()
    found = study(replace(plans.call(), deadline=2.0), 3, told)
    assert (told.runs, found.runs, len(found.cells)) == (2, 2, 2)
