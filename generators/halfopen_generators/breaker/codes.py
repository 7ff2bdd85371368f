"""The breaker checker's codes: title, and the law of distributed systems that each rests on.

A code is retired, never reused. Each has a page under knowledge/rules/.
"""

from __future__ import annotations

from halfopen.findings import Code, Codes

CODES = Codes(
    {
        "NET01": Code("synchronous call without a timeout", 1),
        "NET02": Code("timeout not shorter than the caller's", 1),
        "NET03": Code("tries do not fit into the deadline", 1),
        "RES01": Code("dependency without a breaker", 5),
        "RES02": Code("retries without jitter", 5),
        "RES03": Code("retries multiply along the path", 5),
        "RES04": Code("retries at several layers", 5),
        "RES05": Code("retry of an operation that is not idempotent", 5),
        "RES06": Code("breaker that never opens", 5),
        "RES07": Code("minimum calls above the count window", 5),
        "RES08": Code("retry of what the open breaker rejected", 5),
        "RES09": Code("no probes, or more than the open breaker holds back", 5),
        "RES10": Code("one breaker over a sharded dependency", 5),
        "RES11": Code("ejection that leaves too few hosts", 5),
        "RES12": Code("no retry budget", 5),
        "RES13": Code("fallback shares the failure domain", 5),
        "RES14": Code("bulkhead smaller than the usual load", 5),
        "RES15": Code("nothing limits the calls", 5),
        "RES19": Code("overload that does not end by itself", 5),
        "RES22": Code("timeout cuts off healthy calls", 5),
        "RES23": Code("breaker that opens when all is well", 5),
        "IDP07": Code("effect without an idempotency key", 7),
        "TGT02": Code("the dialect says it otherwise", 5),
    }
)
finding = CODES.finding
