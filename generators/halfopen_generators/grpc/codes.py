"""The gRPC checker's codes: title, and the law of distributed systems that each rests on.

A code is retired, never reused. Each has a page under knowledge/rules/.
"""

from __future__ import annotations

from halfopen.findings import Code, Codes

CODES = Codes(
    {
        "PRT01": Code("number or type changed", 3),
        "PRT02": Code("released element deleted or used again", 3),
        "PRT03": Code("enum zero not UNSPECIFIED", 1),
        "PRT04": Code("unbounded list", 1),
        "PRT05": Code("unversioned package", 3),
        "PRT06": Code("shared request or response types", 3),
        "PRT07": Code("stream without deadline or flow policy", 1),
        "PRT08": Code("money as float or time as text", 1),
        "PRT09": Code("service config retries unsafe codes or methods", 7),
        "PRT10": Code("JSON name or path broken under transcoding", 3),
        "PRT11": Code("undeclared conflict between buf and AIP rules", 3),
        "PRT12": Code("gRPC for a public audience", 1),
        "PRT13": Code("imported, and not to be said in gRPC", 3),
        "PRT14": Code("promised, and left to you by the stubs", 7),
        "IDP04": Code("create without request id", 7),
        "IDP05": Code("idempotency level absent or wrong", 7),
    }
)
finding = CODES.finding
