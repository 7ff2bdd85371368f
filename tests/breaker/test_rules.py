"""Each rule at the edge of its figure: what it says a step beyond, and that it says nothing on the edge."""

from __future__ import annotations

from typing import Any

import pytest
from inline_snapshot import snapshot

from halfopen.progress import Silent
from halfopen_generators.breaker import shares, spoken
from halfopen_generators.breaker.check import check
from halfopen_generators.breaker.codes import CODES
from halfopen_generators.breaker.dialects import Dialect
from halfopen_generators.breaker.options import BreakerOptions
from halfopen_generators.breaker.plan import Layer
from halfopen_generators.breaker.spec import Stack
from tests.breaker.designs import designed
from tests.breaker.findings import BANK, codes, retold, spec, spoken_of, told
from tests.breaker.stand_ins import ALL, fake, stacks

__all__ = ["stacks"]
pytestmark = pytest.mark.usefixtures("stacks")
SLOW_TRAFFIC = {"rate": "10/s", "quiet_rate": "10/s", "instances": 10}
SPARSE = {"rate": "2/s", "quiet_rate": "2/s", "instances": 2}

# What a rule says of a payment with these keys, a step beyond its edge.
BEYOND: list[tuple[str, dict[str, Any], Any]] = [
    ("NET02", {"then": [{**BANK, "deadline": "900ms"}], "timeout": "900ms"}, snapshot("""\
error: payment waits up to 900ms for bank (3 tries), but checkout gives up on payment after 900ms:
what comes later is work for nobody.
-> Less than 900ms for bank, or more than 900ms for payment.
@ then[0].deadline, timeout, deadline\
""")),
    ("NET03", {"timeout": "951ms", "retries": {"attempts": 2}}, snapshot("""\
error: At worst 2 tries of 951ms and waits of 100ms take 2002ms; the deadline is 2s, so that the
last try is made for nobody.
-> `retries: {attempts: 1}`, or a shorter timeout.
@ retries.attempts, timeout, deadline\
""")),
    ("NET03", {"timeout": "2s", "retries": {"attempts": 2}}, snapshot("""\
error: At worst 2 tries of 2s and waits of 100ms take 4100ms; the deadline is 2s, so that the last
try is made for nobody.
-> `retries: {attempts: 1}`, or a shorter timeout.
@ retries.attempts, timeout, deadline\
""")),
    ("RES01", {"stacks": ["grpc"]}, snapshot("""\
warning: grpc can't stop calling a dependency that is down: each call still waits for its timeout.
-> Add a stack that can: a library such as resilience4j, or a mesh that ejects hosts.
@ stacks\
""")),
    ("RES02", {"retries": {"attempts": 2, "jitter": "none"}}, snapshot("""\
warning: Without jitter, what fails together (all calls under way when the dependency restarts) is
tried again together, exactly 100ms later.
-> `retries: {jitter: full}`
@ retries.jitter\
""")),
    ("RES03", {"retries": {"attempts": 3}, "then": [{**BANK, "retries": {"attempts": 2}}]}, snapshot("""\
error: checkout calls payment 3 times, payment calls bank 2 times: one request of a user becomes 6
calls of bank at the worst, more than 4.
-> Retry at one layer only, the one nearest to what fails; `retries: {attempts: 1}` takes them away
from the others.
@ retries.attempts, then[0].retries.attempts\
""")),
    ("RES04", {"retries": {"attempts": 2}, "then": [{**BANK, "retries": {"attempts": 2}}]}, snapshot("""\
warning: 2 layers try again, and their tries multiply: checkout calls payment 2 times, payment calls
bank 2 times.
-> Leave the retries to one of them; `retries: {attempts: 1}` takes them away from the others.
@ retries.attempts, then[0].retries.attempts\
""")),
    ("RES04", {"retried_by": ["istio", "gateway"]}, snapshot("""\
warning: 2 layers try again, and their tries multiply: istio retries ChargeCard, gateway retries
ChargeCard.
-> Leave the retries to one of them; `retries: {attempts: 1}` takes them away from this policy.
@ retried_by\
""")),
    ("RES05", {"idempotency_key": None, "idempotent": False, "retried_by": ["istio"]}, snapshot("""\
error: ChargeCard isn't idempotent and has no idempotency_key, and istio tries it again: a try whose
answer was lost may have had its effect, and the next one has it again.
-> `retried_by: []` once istio doesn't, or the idempotency_key by which payment knows a repeated
call.
@ retried_by, idempotent\
""")),
    ("RES05", {"idempotency_key": None, "retries": {"attempts": 2}, "retried_by": ["istio"]}, snapshot("""\
error: ChargeCard isn't idempotent and has no idempotency_key, and 2 tries are asked for and istio
tries it again: a try whose answer was lost may have had its effect, and the next one has it again.
-> `retries: {attempts: 1}` and `retried_by: []` once istio doesn't, or the idempotency_key by which
payment knows a repeated call.
@ retries\
""")),
    ("RES06", {"traffic": SLOW_TRAFFIC, "breaker": {"size": "10s", "minimum_calls": 11}}, snapshot("""\
error: Even at the busiest hour 10s hold 10 calls on average (1/s of each instance); the breaker
waits for 11, so it opens late or never.
-> `breaker: {size: 11s}`, or fewer minimum_calls.
@ breaker.minimum_calls, breaker.size, traffic.rate\
""")),
    ("RES06", {"traffic": {**SLOW_TRAFFIC, "quiet_rate": "6/h"}, "breaker": {"size": "10s", "minimum_calls": 10}},
     snapshot("""\
info: In quiet hours 10s hold hardly any calls on average (0.6/h of each instance); the breaker
waits for 10, so it opens late or not at all then.
-> `breaker: {window: count, size: 10}`, or fewer minimum_calls.
@ breaker.minimum_calls, breaker.size, traffic.quiet_rate\
""")),
    ("RES07", {"breaker": {"window": "count", "size": 20, "minimum_calls": 21}}, snapshot("""\
error: The window holds the last 20 calls, and the breaker waits for 21: by the letter it never
opens, and some libraries quietly take the smaller number.
-> `breaker: {size: 21}`, or fewer minimum_calls.
@ breaker.size, breaker.minimum_calls\
""")),
    ("RES08", {"deadline": "30s", "retries": {"attempts": 2, "first_wait": "999ms", "on_open": True},
               "breaker": {"open_for": "1s"}}, snapshot("""\
warning: What the open breaker rejects is tried again within 999ms, and it stays open for 1s: the
caller waits, and is rejected all the same.
-> `retries: {on_open: false}`
@ retries.on_open\
""")),
    ("RES09", {"breaker": {"probes": 0}}, snapshot("""\
error: Without a probe nothing shows that the dependency is well again: once open, it stays open.
-> `breaker: {probes: 3}`
@ breaker.probes\
""")),
    ("RES09", {"traffic": {"rate": "60/s", "instances": 6}, "breaker": {"open_for": "5s", "probes": 51}}, snapshot("""\
warning: Half-open it lets 51 calls of each instance through, and in the 5s before it held back 50:
a dependency that is down gets most of its calls all the same.
-> `breaker: {probes: 3}`, or a longer open_for.
@ breaker.probes, breaker.open_for\
""")),
    ("RES10", {"shards": 3, "breaker": {"per_shard": False}}, snapshot("""\
error: One shard of 3 that is down is 33.3% of the calls: the breaker stays closed over it.
-> `breaker: {per_shard: true}`
@ breaker.per_shard, shards\
""")),
    ("RES10", {"shards": 2, "breaker": {"per_shard": False}}, snapshot("""\
error: One shard of 2 that is down is 50% of the calls: the breaker opens, and the healthy shards
are gone too.
-> `breaker: {per_shard: true}`
@ breaker.per_shard, shards\
""")),
    ("RES11", {"hosts": 1, "stacks": ["istio"]}, snapshot("""\
warning: istio takes failing hosts out, and payment has one: once it is out, nothing is left, for
any of its operations.
-> `hosts: 2`, or leave the breaker to a library.
@ hosts\
""")),
    ("RES11", {"hosts": 3, "capacity": "299/s", "stacks": ["resilience4j", "istio"]}, snapshot("""\
warning: istio takes failing hosts out, and with one of 3 out the others can do 199.3/s and are
asked for 200/s: they are the next to fail.
-> `hosts: 4` and `capacity: 398.7/s`, or leave the breaker to a library.
@ hosts, capacity\
""")),
    ("RES12", {"retries": {"attempts": 3, "budget": "100%"}, "capacity": "210/s"}, snapshot("""\
warning: A budget of 100% bounds nothing: when all calls fail, 3 tries each are up to 3 times the
load, just when the dependency can do least.
-> `retries: {budget: 2%}`
@ retries.budget\
""")),
    ("RES13", {"fallback": "cache", "fallback_dependency": "payment"}, snapshot("""\
error: The fallback calls payment, which is what has failed when it is needed.
-> A fallback that needs nothing of payment, or none: an error that comes at once.
@ fallback_dependency\
""")),
    ("RES13", {"fallback": "cache", "fallback_dependency": "bank", "then": [BANK]}, snapshot("""\
warning: The fallback calls bank, which payment needs too: when that fails, both do.
-> A fallback that needs nothing of bank, or none: an error that comes at once.
@ fallback_dependency\
""")),
    ("RES14", {"bulkhead": {"concurrent": 8}}, snapshot("""\
warning: 33.33/s of one instance x 250ms (p99) are 8.33 calls under way; the bulkhead has 8 places,
so calls are refused as soon as it is a little slow.
-> `bulkhead: {concurrent: 13}`
@ bulkhead.concurrent\
""")),
    ("RES14", {"bulkhead": {"concurrent": 1}}, snapshot("""\
error: 33.33/s of one instance x 56ms on average are 1.86 calls under way; the bulkhead has 1 place,
so calls are refused all the time.
-> `bulkhead: {concurrent: 13}`
@ bulkhead.concurrent\
""")),
    ("RES15", {"stacks": ["grpc"], "quota": "100/s"}, snapshot("""\
warning: grpc can't bound how many calls are under way: a slow dependency takes all threads, or all
memory.
-> Add a stack that can, such as resilience4j or envoy, or refuse what is too much where it comes
in.
@ stacks
warning: grpc can't hold the quota: nothing limits how many calls begin in a second.
-> Add a stack that can, such as resilience4j or envoy.
@ stacks\
""")),
    ("RES19", {"capacity": "240/s", "retries": {"attempts": 2, "budget": "20%"}}, snapshot("""\
error: 200/s and 20% of further tries are 240/s; payment can do 240/s: once calls fail, the tries
keep it from coming back, though the cause is gone.
-> `retries: {budget: 9%}`, or capacity for more than 240/s.
@ capacity, traffic.rate, retries.budget\
""")),
    ("RES19", {"capacity": "200/s"}, snapshot("""\
error: 200/s are called at the busiest hour; payment can do 200/s: its queue grows, and never
empties while that lasts.
-> Capacity for more than 200/s, or a limit where users come in.
@ capacity, traffic.rate\
""")),
    ("RES22", {"timeout": "249ms"}, snapshot("""\
warning: 1.01% of healthy calls take longer than 249ms (p99 is 250ms): they fail though nothing is
wrong, and each is load without use.
-> `timeout: 250ms`, or a faster payment; then fewer tries, if they don't fit.
@ timeout, deadline, latency.p99\
""")),
    ("RES22", {"deadline": "249ms"}, snapshot("""\
warning: 1.01% of healthy calls take longer than 249ms (p99 is 250ms): they fail though nothing is
wrong, and each is load without use.
-> `deadline: 250ms` and `timeout: 250ms`, or a faster payment; then fewer tries, if they don't fit.
@ deadline, latency.p99\
""")),
    ("RES23", {"traffic": SPARSE, "error_rate": "1%", "breaker": {"minimum_calls": 4, "size": "4s"}}, snapshot("""\
error: 1.099% of calls fail when all is well, so about every 47 min of quiet hours over all 2
instances 2 of 4 do, which opens it.
-> `breaker: {minimum_calls: 11}`, or leave both out and have them decided.
@ breaker.minimum_calls, error_rate\
""")),
    ("RES23", {"traffic": SPARSE, "error_rate": "0.4%", "breaker": {"minimum_calls": 6, "size": "6s"}}, snapshot("""\
warning: 0.5% of calls fail when all is well, so about every 14 d of quiet hours over all 2
instances 3 of 6 do, which opens it.
-> `breaker: {minimum_calls: 10}`, or leave both out and have them decided.
@ breaker.minimum_calls, error_rate\
""")),
    ("IDP07", {"idempotency_key": None}, snapshot("""\
warning: When ChargeCard times out, it may have had its effect or not, and without an
idempotency_key nobody can ask again.
-> `idempotent: true` if twice does the same as once (as a read), or the idempotency_key by which
payment knows a repeated call. Until then, reconcile by hand.
@ operation\
""")),
    ("TGT02", {"stacks": ["grpc"], "fallback": "cache"}, snapshot("""\
info: grpc can't answer in the dependency's place: without the fallback the caller gets an error.
-> Answer in your own code, where the error arrives.
@ stacks\
""")),
]  # fmt: skip


@pytest.mark.parametrize(("code", "changes", "says"), BEYOND)
def test_a_step_beyond_the_edge(code: str, changes: dict[str, Any], says: str) -> None:
    assert told(spec(**changes), code) == says


ON_THE_EDGE: list[tuple[str, dict[str, Any]]] = [
    ("NET02", {"then": [{**BANK, "deadline": "899ms"}], "timeout": "900ms"}),
    ("NET03", {"timeout": "950ms", "retries": {"attempts": 2}}),
    ("RES01", {"stacks": ["grpc", "istio"]}),
    ("RES02", {"retries": {"attempts": 1, "jitter": "none"}}),
    ("RES03", {"retries": {"attempts": 2}, "then": [{**BANK, "retries": {"attempts": 2}}]}),
    ("RES03", {"retries": {"attempts": 5}, "timeout": "300ms"}),
    ("RES04", {"then": [BANK]}),
    ("RES04", {"retried_by": ["istio"]}),
    ("RES05", {"idempotency_key": None, "retries": {"attempts": 1}}),
    ("RES05", {"idempotency_key": None, "idempotent": True, "retried_by": ["istio"]}),
    ("RES06", {"traffic": SLOW_TRAFFIC, "breaker": {"size": "10s", "minimum_calls": 10}}),
    ("RES06", {"traffic": SLOW_TRAFFIC, "breaker": {"window": "count", "size": 100, "minimum_calls": 100}}),
    ("RES07", {"breaker": {"window": "count", "size": 20, "minimum_calls": 20}}),
    ("RES08", {"deadline": "30s", "retries": {"attempts": 2, "first_wait": "1s", "on_open": True},
               "breaker": {"open_for": "1s"}}),
    ("RES08", {"retries": {"attempts": 1, "on_open": True}}),
    ("RES09", {"traffic": {"rate": "60/s", "instances": 6}, "breaker": {"open_for": "5s", "probes": 50}}),
    ("RES09", {"traffic": {"rate": "1/h", "instances": 60}, "breaker": {"open_for": "1s", "probes": 3}}),
    ("RES10", {"shards": 1, "breaker": {"per_shard": False}}),
    ("RES11", {"hosts": 3, "capacity": "300/s", "stacks": ["resilience4j", "istio"]}),
    ("RES11", {"hosts": 2, "stacks": ["istio"]}),
    ("RES11", {"hosts": 1}),
    ("RES12", {"retries": {"attempts": 3, "budget": "99%"}}),
    ("RES13", {"fallback": "cache", "fallback_dependency": "redis", "then": [BANK]}),
    ("RES14", {"bulkhead": {"concurrent": 9}}),
    ("RES14", {"traffic": {"rate": "24/s", "instances": 6}, "bulkhead": {"concurrent": 1}}),
    ("RES15", {"stacks": ["istio"]}),
    ("RES19", {"capacity": "240.1/s", "retries": {"attempts": 2, "budget": "20%"}}),
    ("RES22", {"timeout": "250ms"}),
    ("RES22", {"deadline": "250ms"}),
    ("RES23", {"traffic": SPARSE, "error_rate": "0.2%", "breaker": {"minimum_calls": 6, "size": "6s"}}),
    ("RES23", {"traffic": SPARSE, "error_rate": "1%", "breaker": {"minimum_calls": 12, "size": "12s"}}),
    # At 3.3 calls a second even a quiet window holds many more than two.
    ("RES23", {"error_rate": "1%", "breaker": {"minimum_calls": 2, "size": "30s"}}),
    ("IDP07", {"idempotency_key": None, "idempotent": True}),
    ("TGT02", {"stacks": ["grpc"]}),
]  # fmt: skip


@pytest.mark.parametrize(("code", "changes"), ON_THE_EDGE)
def test_nothing_on_the_edge(code: str, changes: dict[str, Any]) -> None:
    assert code not in codes(spec(**changes))


def test_every_rule_has_both() -> None:
    # NET01 needs an architecture, or a stack that can't play all: their tests are of their own.
    assert {code for code, _, _ in BEYOND} | {"NET01"} == set(CODES)
    assert {code for code, _ in ON_THE_EDGE} | {"NET01"} == set(CODES)


@pytest.mark.parametrize(
    ("part", "code", "says"),
    [
        (
            "timeout",
            "NET01",
            snapshot("""\
error: resilience4j can't end a call that takes too long: while the dependency hangs, so does all
that waits for it.
-> Add a stack that can, such as resilience4j, grpc or envoy.
@ stacks\
"""),
        ),
        (
            "retry",
            "TGT02",
            snapshot("""\
info: resilience4j can't try again: a call has one try.
-> Add a stack that can, or leave it so.
@ stacks\
"""),
        ),
        (
            "limit",
            "RES15",
            snapshot("""\
warning: resilience4j can't hold the quota: nothing limits how many calls begin in a second.
-> Add a stack that can, such as resilience4j or envoy.
@ stacks\
"""),
        ),
    ],
)
def test_a_part_that_no_stack_can_play(part: Layer, code: str, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def lacking(stack: Stack) -> Dialect:
        return fake(stack, ALL - {part})

    assert codes(spec(quota="400/s")) == set()
    for module in (shares, spoken):
        monkeypatch.setattr(module, "dialect", lacking)
    assert told(spec(quota="400/s"), code) == says
    # What nobody asks for, nobody misses.
    assert codes(spec(retries={"attempts": 1})) == ({code} if part == "timeout" else set())


def test_one_breaker_where_each_shard_should_have_one() -> None:
    def says(**changes: Any) -> list[str]:
        return [each.message for each in spoken_of(spec(stacks=["istio"], **changes)) if "shards" in each.message]

    assert len(says(shards=4)) == 1
    assert says(shards=1) == says(shards=4, breaker={"per_shard": False}) == []


SIMULATED = {"traffic": {"rate": "20/s", "instances": 2}, "recovery_time": "10s"}


@pytest.mark.parametrize(
    ("code", "changes", "says"),
    [
        ("RES19", {"capacity": "20.5/s", "retries": {"attempts": 2, "budget": "100%"},
                   "bulkhead": {"concurrent": 1000}}, snapshot("""\
error: Simulated: all is not well again within 35s of 2 troubles (brownout, it takes 10 times as
long; thundering herd, an outage, after which 3 times as many calls meet a cold dependency for 2.9
s).
-> A smaller retry budget or bulkhead, a limit at the entry, or more capacity; --tune looks for it.
@ capacity, traffic.rate\
""")),
        ("RES23", {"error_rate": "30%", "breaker": {"minimum_calls": 1, "failure_ratio": "31%"}}, snapshot("""\
warning: Simulated: the breaker opened 40 times while all was well.
-> More minimum_calls, a higher failure_ratio, or a longer timeout.
@ breaker, error_rate\
""")),
    ],
)  # fmt: skip
def test_what_the_simulation_shows(code: str, changes: dict[str, Any], says: str) -> None:
    def seen(**more: Any) -> str:
        judged = check(designed(spec(**SIMULATED, **more)), BreakerOptions(seeds=1), Silent())
        return retold(each for each in judged.findings if each.code == code and each.certainty == "heuristic")

    assert seen(**changes) == says
    assert seen() == ""
