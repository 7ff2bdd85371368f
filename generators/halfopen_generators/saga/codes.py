"""The saga checker's codes: title, and the law of distributed systems that each rests on.

A code is retired, never reused. Each has a page under knowledge/rules/. SAG17 needs an architecture model and
is not raised here.
"""

from __future__ import annotations

from halfopen.findings import Code, Codes

CODES = Codes(
    {
        "SAG01": Code("missing compensation", 9),
        "SAG02": Code("compensatable behind the pivot, or several pivots", 9),
        "SAG03": Code("retriable step that may not go through", 9),
        "SAG04": Code("compensation not idempotent", 7),
        "SAG05": Code("unknown outcome not compensated", 9),
        "SAG06": Code("late action accepted after its compensation", 7),
        "SAG07": Code("duplicate applied twice", 7),
        "SAG08": Code("compensation order breaks a dependency", 9),
        "SAG09": Code("stuck state reachable", 9),
        "SAG10": Code("state and publish not atomic", 4),
        "SAG11": Code("failure event unhandled", 9),
        "SAG12": Code("isolation anomaly without countermeasure", 4),
        "SAG13": Code("compensation can be refused", 9),
        "SAG14": Code("no deadline or escalation", 5),
        "SAG15": Code("irreversible effect before the pivot", 9),
        "SAG16": Code("choreography too wide", 9),
        "SAG18": Code("empty compensation does harm", 7),
        "SAG19": Code("event without producer or without consumer", 2),
        "SAG20": Code("event cycle that need not end", 2),
        "SAG21": Code("timeout beyond the deadline", 5),
    }
)
finding = CODES.finding
