"""The breaker checker's codes: title, and the law of distributed systems that each rests on.

A code is retired, never reused. Each has a page under knowledge/rules/.
"""

from __future__ import annotations

from halfopen.findings import Code, Codes

_FALLACIES, _RESILIENCE, _IDEMPOTENCY = 1, 5, 7

CODES = Codes(
    {
        "NET01": Code("synchronous call without a timeout", _FALLACIES),
        "NET02": Code("timeout not shorter than the caller's", _FALLACIES),
        "NET03": Code("tries do not fit into the deadline", _FALLACIES),
        "RES01": Code("dependency without a breaker", _RESILIENCE),
        "RES02": Code("retries without jitter", _RESILIENCE),
        "RES03": Code("retries multiply along the path", _RESILIENCE),
        "RES04": Code("retries at several layers", _RESILIENCE),
        "RES05": Code("retry of an operation that is not idempotent", _RESILIENCE),
        "RES06": Code("breaker that never opens", _RESILIENCE),
        "RES07": Code("minimum calls above the count window", _RESILIENCE),
        "RES08": Code("retry of what the open breaker rejected", _RESILIENCE),
        "RES09": Code("no probes, or more than the open breaker holds back", _RESILIENCE),
        "RES10": Code("one breaker over a sharded dependency", _RESILIENCE),
        "RES11": Code("ejection that leaves too few hosts", _RESILIENCE),
        "RES12": Code("no retry budget", _RESILIENCE),
        "RES13": Code("fallback shares the failure domain", _RESILIENCE),
        "RES14": Code("bulkhead smaller than the usual load", _RESILIENCE),
        "RES15": Code("nothing limits the calls", _RESILIENCE),
        "RES19": Code("overload that does not end by itself", _RESILIENCE),
        "RES22": Code("timeout cuts off healthy calls", _RESILIENCE),
        "RES23": Code("breaker that opens when all is well", _RESILIENCE),
        "IDP07": Code("effect without an idempotency key", _IDEMPOTENCY),
        "TGT02": Code("the dialect says it otherwise", _RESILIENCE),
    }
)
finding = CODES.finding
