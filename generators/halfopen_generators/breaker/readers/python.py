"""What a guarded call in Python means, from its own modules: tenacity and aiolimiter with their defaults.

What the modules bring themselves (a breaker, a bulkhead) is known by its digest: a class or function that was changed
in any way but its comments is another one, and what it does isn't known.
"""

from __future__ import annotations

import ast
import hashlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from halfopen_generators.breaker.readers.library_defaults import defaults
from halfopen_generators.breaker.reading import Reading, Term, Value

# What was looked at and tested: `digest` of each.
KNOWN = {
    "within": "4a0380fcbcbfaa1d",
    "limited_by": "5d01fb6229a10332",
    "retried": "e79bd92a581d80d6",
    "hedged": "32f7f7610c54881b",
    "Bulkhead": "006c78e8deaa2bcf",
    "RetryBudget": "05eb627c0bc3fae9",
    "Breaker": "bdac089391735109",
    "_Outcome": "ceff318c9edb17f1",
}
_FAILURES = {"Unreached": "unreached", "Unavailable": "unavailable", "TimeoutError": "timeout"}
# Python's own exceptions, and one that stands for any answer that is an exception.
_ABOVE = {"TimeoutError": ("OSError",), "OSError": ("Exception",), "": ("Exception",), "-": ("OSError",)}
_ANSWERS = ("", "-")


def read(files: Mapping[str, str]) -> Reading:
    """The policy that these modules set.

    Raises:
        ValueError: they aren't Python, or no class in them guards a call.
    """
    try:
        trees = [ast.parse(text) for path, text in sorted(files.items()) if path.endswith(".py")]
    except SyntaxError as error:
        raise ValueError(f"not Python: {error}") from error
    module = _Module.of(trees)
    for tree in trees:
        for guarded in ast.walk(tree):
            if isinstance(guarded, ast.ClassDef) and (found := _order(guarded)):
                return _meaning(module, _parts(guarded), *found)
    raise ValueError("no class guards a call")


def digest(node: ast.AST) -> str:
    """What a definition comes to without its comments, docstrings and layout: the same in every Python."""
    return hashlib.sha256(repr(_plain(node)).encode()).hexdigest()[:16]


def _plain(node: object) -> object:
    if isinstance(node, list):
        body = node
        if body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
            body = body[1:]
        return [_plain(one) for one in body]
    if not isinstance(node, ast.AST):
        return node
    said = [(name, _plain(value)) for name, value in ast.iter_fields(node) if value not in (None, [])]
    return (type(node).__name__, said)


@dataclass(frozen=True)
class _Module:
    """All that the modules define."""

    constants: Mapping[str, ast.expr]
    bases: Mapping[str, tuple[str, ...]]
    changed: frozenset[str]

    @classmethod
    def of(cls, trees: list[ast.Module]) -> _Module:
        constants: dict[str, ast.expr] = {}
        bases: dict[str, tuple[str, ...]] = dict(_ABOVE)
        seen: dict[str, str] = {}
        for node in (node for tree in trees for node in tree.body):
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                constants[node.targets[0].id] = node.value
            elif isinstance(node, (ast.ClassDef, ast.FunctionDef)):
                seen[node.name] = digest(node)
                if isinstance(node, ast.ClassDef):
                    bases[node.name] = tuple(ast.unparse(base) for base in node.bases)
        return cls(constants, bases, frozenset(name for name, known in KNOWN.items() if seen.get(name) != known))

    def value(self, node: ast.expr | None, otherwise: object = None) -> object:
        """The value of a literal or a constant; its text if it is neither."""
        if node is None:
            return otherwise
        if isinstance(node, ast.Name) and node.id in self.constants:
            return self.value(self.constants[node.id])
        try:
            return ast.literal_eval(node)
        except ValueError:
            return ast.unparse(node)

    def names(self, node: ast.expr | None) -> list[str]:
        """The classes in a tuple of exceptions, or the one that stands alone."""
        if isinstance(node, ast.Name) and node.id in self.constants:
            return self.names(self.constants[node.id])
        if isinstance(node, ast.Tuple):
            return [name for one in node.elts for name in self.names(one)]
        if isinstance(node, ast.Starred):
            return self.names(node.value)
        return [ast.unparse(node)] if node else []

    def is_a(self, name: str, kinds: list[str]) -> bool:
        """Whether an exception of that name is caught by these classes."""
        return (
            "BaseException" in kinds
            or name in kinds
            or any(self.is_a(base, kinds) for base in self.bases.get(name, ()))
        )


def _order(guarded: ast.ClassDef) -> tuple[list[ast.Call], ast.Try | None] | None:
    """What is put around the call, from the inside, and what is done where all of it fails."""
    for method in guarded.body:
        if not isinstance(method, ast.AsyncFunctionDef) or method.name != "__call__":
            continue
        around: list[ast.Call] = []
        caught = None
        earns = [node for node in ast.walk(method) if isinstance(node, ast.Call) and _called(node).endswith(".earn")]
        for statement in method.body:
            if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Call):
                around.append(statement.value)
            if isinstance(statement, ast.Try):
                caught = statement
        return [*around, *earns[:1]], caught
    return None


def _parts(guarded: ast.ClassDef) -> dict[str, ast.expr]:
    """What the object keeps, by attribute."""
    return {
        f"self.{node.targets[0].attr}": node.value
        for node in ast.walk(guarded)
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Attribute)
    }


def _called(node: ast.expr | None) -> str:
    return ast.unparse(node.func) if isinstance(node, ast.Call) else ""


def _keywords(node: ast.expr | None, *places: str) -> dict[str, ast.expr]:
    """The arguments of a call by name; `places` names those that are given by place."""
    if not isinstance(node, ast.Call):
        return {}
    found = dict(zip(places, node.args, strict=False))
    return {**found, **{keyword.arg or "**": keyword.value for keyword in node.keywords}}


def _meaning(
    module: _Module, parts: Mapping[str, ast.expr], around: list[ast.Call], caught: ast.Try | None
) -> dict[Term, Value]:
    earns = bool(around) and _called(around[-1]).endswith(".earn")
    around = around[:-1] if earns else around
    found: dict[str, ast.Call] = {}
    order: list[str] = []
    hedge: Value = None
    for call in around:
        layer = _layer(module, parts, call)
        if layer == "hedge":
            hedge = _number(module.value(call.args[0]))
        else:
            order.append(layer)
            found.setdefault(layer, call)
    overall: Value = None
    if order and order[-1] == "timeout":
        overall = _number(module.value(around[-1].args[0]))
        order.pop()
    if caught and all(module.is_a("BreakerOpen", module.names(one.type)) for one in caught.handlers):
        order.append("fallback")
    kept = {layer: parts.get(_owner(call)) for layer, call in found.items()}
    return {
        "per_try": _number(module.value(found["timeout"].args[0])) if "timeout" in order else None,
        "overall": overall,
        **_retry(module, parts, kept.get("retry"), breaker="breaker" in order, earns=earns),
        **_breaker(module, kept.get("breaker")),
        "concurrent": _number(module.value(_keywords(kept.get("bulkhead"), "concurrent").get("concurrent"))),
        "rate": _rate(module, kept.get("limit")),
        "hedge_after": hedge,
        "layers": tuple(reversed(order)),
    }


def _owner(call: ast.Call) -> str:
    """The attribute that a step uses: self._bulkhead of self._bulkhead.guard(call), or the first argument."""
    if isinstance(call.func, ast.Attribute):
        return ast.unparse(call.func.value)
    return ast.unparse(call.args[0]) if call.args else ""


def _layer(module: _Module, parts: Mapping[str, ast.expr], call: ast.Call) -> str:
    called = _called(call)
    if ast.unparse(call.args[-1]) != "call" if call.args else True:
        return f"something else: {called}"
    kind = _called(parts.get(_owner(call))) if called.endswith(".guard") else called
    if kind in module.changed:
        return f"a changed {kind}"
    layers = {"within": "timeout", "limited_by": "limit", "retried": "retry", "hedged": "hedge",
              "Bulkhead": "bulkhead", "Breaker": "breaker"}  # fmt: skip
    if kind == "Breaker" and "_Outcome" in module.changed:
        return "a changed _Outcome"
    return layers.get(kind, called)


def _retry(
    module: _Module, parts: Mapping[str, ast.expr], retrying: ast.expr | None, *, breaker: bool, earns: bool
) -> dict[Term, Value]:
    if retrying is None:
        off: dict[Term, Value] = dict.fromkeys(("first_wait", "factor", "longest_wait", "jitter", "budget"))
        return {"attempts": 1, **off, "retried_on": (), "retries_open": False}
    said = _keywords(retrying)
    attempts, asked = _stops(module, said.get("stop"))
    on = said.get("retry")
    kinds = module.names(_keywords(on, "types").get("types")) or ["Exception"]
    known = on is None or _called(on) == "retry_if_exception_type"
    causes = {failure for cause, failure in _FAILURES.items() if module.is_a(cause, kinds)}
    causes |= {"anything else" for answer in _ANSWERS if module.is_a(answer, kinds)}
    return {
        "attempts": attempts,
        **_waits(module, said.get("wait")),
        "budget": _budget(module, parts.get(asked), earns=earns),
        "retried_on": tuple(sorted(causes)) if known else ast.unparse(on or retrying),
        "retries_open": breaker and module.is_a("BreakerOpen", kinds),
    }


def _stops(module: _Module, stop: ast.expr | None) -> tuple[Value, str]:
    """After how many tries it ends, and who is asked besides; the count comes first, so that the last try is free."""
    if _called(stop) == "stop_after_attempt":
        return _number(module.value(_keywords(stop, "most").get("most"))), ""
    if isinstance(stop, ast.Call) and _called(stop) == "stop_any" and len(stop.args) == len(("count", "budget")):
        attempts, _ = _stops(module, stop.args[0])
        return attempts, ast.unparse(stop.args[1])
    return math.inf if stop is None else ast.unparse(stop), ""


def _waits(module: _Module, wait: ast.expr | None) -> dict[Term, Value]:
    jitter = {"wait_random_exponential": "full", "wait_exponential": "none"}.get(_called(wait))
    if jitter is None:
        told = ast.unparse(wait) if wait else "nothing"
        return dict.fromkeys(("first_wait", "factor", "longest_wait", "jitter"), told)
    said = _keywords(wait, "multiplier", "max", "exp_base", "min")
    own = defaults("python", "tenacity")
    if _number(module.value(said.get("min"), 0)) != 0:
        jitter = f"from {module.value(said.get('min'))}"
    return {
        "first_wait": _number(module.value(said.get("multiplier"), own["multiplier"])),
        "factor": _number(module.value(said.get("exp_base"), own["exp_base"])),
        "longest_wait": _number(module.value(said.get("max"), own["max"])),
        "jitter": jitter,
    }


def _budget(module: _Module, budget: ast.expr | None, *, earns: bool) -> Value:
    if _called(budget) != "RetryBudget" or "RetryBudget" in module.changed or not earns:
        return None
    return _number(module.value(_keywords(budget, "share").get("share")))


def _breaker(module: _Module, breaker: ast.expr | None) -> dict[Term, Value]:
    terms: tuple[Term, ...] = ("window", "size", "minimum_calls", "failure_ratio", "slow_ratio", "slow_after",
                               "open_for", "probes")  # fmt: skip
    if breaker is None:
        return dict.fromkeys(terms)
    said = {name: module.value(node) for name, node in _keywords(breaker).items()}
    by_time = said.get("window_seconds") is not None
    failures = module.names(ast.Name("FAILURES"))
    if sorted(failures) != sorted(_FAILURES):
        return dict.fromkeys(terms, f"counts {', '.join(failures)}")
    found: dict[Term, Value] = {
        "window": "time" if by_time else "count",
        "size": _number(said.get("window_seconds" if by_time else "window_calls")),
    }
    return {**found, **dict(_same_names(said, terms[2:]))}


def _same_names(said: Mapping[str, object], terms: tuple[Term, ...]) -> Iterator[tuple[Term, Value]]:
    for term in terms:
        yield term, _number(said.get(term))


def _rate(module: _Module, limiter: ast.expr | None) -> Value:
    if _called(limiter) != "AsyncLimiter":
        return None
    said = _keywords(limiter, "max_rate", "time_period")
    calls = _number(module.value(said.get("max_rate")))
    period = _number(module.value(said.get("time_period"), defaults("python", "aiolimiter")["time_period"]))
    return calls / period if isinstance(calls, float) and isinstance(period, float) and period else f"{calls} {period}"


def _number(said: object) -> Value:
    if said is None or isinstance(said, (bool, str)):
        return said
    return float(said) if isinstance(said, (int, float)) else str(said)
