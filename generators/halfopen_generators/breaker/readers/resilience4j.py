"""What a Resilience4j 2.4 policy means, from its Java and from application.yml, which have to say the same.

The order comes from the Java that decorates the call. Each part of it is looked up twice: as the code builds it by
itself, and under the name by which it takes it from Spring's registries. What isn't said is the library's default (of
`RetryConfig`, `CircuitBreakerConfig`, `TimeLimiterConfig`, `BulkheadConfig`, `RateLimiterConfig`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from halfopen_generators.breaker.readers.code import (
    Call,
    Choice,
    Expression,
    Function,
    Items,
    Literal,
    Member,
    Name,
    New,
    Operation,
    calls,
    chain,
    dotted,
    inside,
    news,
    steps,
    value,
)
from halfopen_generators.breaker.readers.resilience4j_figures import breaker, bulkhead, limit, rate, retry
from halfopen_generators.breaker.readers.resilience4j_yaml import Settings, settings
from halfopen_generators.breaker.readers.syntax_java import java
from halfopen_generators.breaker.reading import Reading, Term, Value

_LAYERS = {"Retry": "retry", "CircuitBreaker": "breaker", "RateLimiter": "limit", "Bulkhead": "bulkhead"}
_SECTIONS = {
    "retry": "retry",
    "circuitBreaker": "circuitbreaker",
    "rateLimiter": "ratelimiter",
    "bulkhead": "bulkhead",
    "timeLimiter": "timelimiter",
}
_UNITS = {"ofNanos": 1e-9, "ofMillis": 1e-3, "ofSeconds": 1, "ofMinutes": 60, "ofHours": 3_600, "ofDays": 86_400}


def read(files: Mapping[str, str]) -> Reading:
    """The policy that these files set.

    Raises:
        ValueError: there is no code that decorates a call, or it takes its parts from where they can't be followed.
    """
    codes = [java(text) for path, text in sorted(files.items()) if path.endswith(".java")]
    bound = [settings(text) for path, text in sorted(files.items()) if path.endswith((".yml", ".yaml"))]
    program = _Program(
        functions={name: found for code in codes for name, found in code.functions.items()},
        constants={name: found for code in codes for name, found in code.constants.items()},
        types={name: found for code in codes for name, found in code.types.items()},
    )
    order = program.order()
    by_code, by_name = program.policies()
    meant = [_meaning(program, order, parts) for parts in (by_code, program.bound(by_name, bound))]
    broken = [code for code in codes if not code.whole]
    if broken:
        raise ValueError("a Java file isn't well-formed")
    return {term: _agreed(meant[0][term], meant[1][term]) for term in meant[0]}


def _agreed(by_code: Value, by_yaml: Value) -> Value:
    same = by_code == by_yaml or (
        isinstance(by_code, (int, float)) and isinstance(by_yaml, (int, float)) and math.isclose(by_code, by_yaml)
    )
    return by_code if same else f"{by_code} in the Java, {by_yaml} in application.yml"


@dataclass(frozen=True)
class _Part:
    """One thing that decorates: its settings by their plain names, and how the code spares retries of it."""

    settings: Settings
    jitter: str = "none"
    budget: float | None = None


@dataclass(frozen=True)
class _Program:
    functions: Mapping[str, Function]
    constants: Mapping[str, Expression]
    types: Mapping[str, tuple[str, ...]]

    def order(self) -> list[tuple[str, str]]:
        """What decorates the call, outermost first, each with the part of the policy that it takes."""
        for function in self.functions.values():
            ended = [step.value for step in function.body if step.kind == "return"]
            if not ended or not isinstance(ended[-1], Call) or not isinstance(ended[-1].of, Member):
                continue
            decorated = dotted(ended[-1].of.of)
            said = [step.value for step in function.body if step.kind == "set" and step.target == decorated]
            if said and isinstance(said[0], Function) and ended[-1].of.name == "call":
                return [self._decorator(one, decorated) for one in reversed(said[1:])]
        raise ValueError("no method decorates a call and makes it")

    def _decorator(self, said: Expression, decorated: str) -> tuple[str, str]:
        if not isinstance(said, Call) or not any(dotted(arg) == decorated for arg in said.args):
            return "something else", ""
        called = dotted(said.of)
        kind, _, how = called.rpartition(".")
        if called == "CallableUtils.recover":
            return "fallback", ""
        taken = said.args[0]
        part = taken.of.name if isinstance(taken, Call) and isinstance(taken.of, Member) else ""
        if how == "decorateCallable" and kind in _LAYERS:
            return _LAYERS[kind], part
        own = self.functions.get(called)
        # Our own method gives the call to the time limiter that it got.
        if own and any(dotted(found.of).startswith(f"{own.params[0]}.") for found in _limited(own)):
            return "timeout", part
        return called, part

    def policies(self) -> tuple[dict[str, Expression], dict[str, Expression]]:
        """The parts of the policy as the code builds them, and as it takes them from registries."""
        built: dict[str, Expression] = {}
        named: dict[str, Expression] = {}
        for function in self.functions.values():
            local = {step.target: step.value for step in steps(function.body) if step.kind == "set"}
            for kind, names in self.types.items():
                for made in (one for step in function.body for one in news(step, kind)):
                    parts = dict(zip(names, (_resolved(arg, local) for arg in made.args), strict=True))
                    taken = any(self._registered(one) for one in parts.values())
                    (named if taken else built).update(parts)
        if not built or not named:
            raise ValueError("the policy is not built both by code and of registries")
        return built, named

    def _registered(self, part: Expression) -> tuple[str, str] | None:
        """The section and the name under which a registry is asked for it."""
        for found in inside(part):
            if isinstance(found, Call) and isinstance(found.of, Member) and found.of.name in _SECTIONS:
                return _SECTIONS[found.of.name], str(value(found.args[0], self.constants))
        return None

    def bound(self, parts: Mapping[str, Expression], files: Iterable[Any]) -> dict[str, _Part | Expression]:
        """The parts with the settings that application.yml has under their names."""
        found: dict[str, _Part | Expression] = {}
        for name, part in parts.items():
            registered = self._registered(part)
            if registered:
                section, instance = registered
                said: Settings = {}
                for file in files:
                    said |= file(section, instance)
                found[name] = self._spared(part, said, parts)
            else:
                found[name] = part
        return found

    def part(self, name: str, parts: Mapping[str, Any]) -> _Part:
        """What is said of that part."""
        part = parts.get(name)
        if isinstance(part, _Part):
            return part
        if not isinstance(part, Expression):
            return _Part({})
        said: Settings = {}
        for found in inside(part):
            root, builder = chain(found)
            if root.endswith("Config.custom"):
                said = self._built(builder)
                break
        return self._spared(part, said, parts)

    def _built(self, builder: Mapping[str, tuple[Expression, ...]]) -> Settings:
        said: Settings = {}
        for name, args in builder.items():
            plain = name.lower()
            if plain == "intervalfunction" and isinstance(args[0], Call):
                said |= self._interval(args[0])
            elif plain in {"retryexceptions", "ignoreexceptions", "recordexceptions"}:
                said[plain] = tuple(dotted(arg).rpartition(".")[2] for arg in args)
            elif args:
                said[plain] = self._plain(args[0])
        return said

    def _interval(self, function: Call) -> Settings:
        said = [self._plain(arg) for arg in function.args]
        names = ["waitduration", "exponentialbackoffmultiplier", "exponentialmaxwaitduration"]
        if dotted(function.of) == "IntervalFunction.ofExponentialBackoff":
            return {**dict(zip(names, said, strict=False)), "enableexponentialbackoff": True}
        if dotted(function.of) == "IntervalFunction.of" and len(said) == 1:
            return {"waitduration": said[0]}
        return {"waitduration": dotted(function.of)}

    def _plain(self, said: Expression) -> object:
        if dotted(said) == "Duration.ZERO":
            return 0.0
        if isinstance(said, Call) and dotted(said.of).startswith("Duration.of"):
            amount = value(said.args[0], self.constants)
            return float(amount or 0) * _UNITS[dotted(said.of).partition(".")[2]]
        if isinstance(said, Member):
            return said.name
        try:
            return value(said, self.constants)
        except ValueError:
            return str(said)

    def _spared(self, part: Expression, said: Settings, parts: Mapping[str, Any]) -> _Part:
        """How the code changes the waits that were said, and what retries it allows."""
        for found in inside(part):
            own = self.functions.get(dotted(found.of)) if isinstance(found, Call) else None
            if own and list(calls(own.body, "intervalBiFunction")):
                return _Part(said, *self._waits(own, parts))
        return _Part(said)

    def _waits(self, own: Function, parts: Mapping[str, Any]) -> tuple[str, float | None]:
        set_to = next(calls(own.body, "intervalBiFunction")).args[0]
        ends = [step.value for step in set_to.body] if isinstance(set_to, Function) else []
        if len(ends) != 1 or not isinstance(ends[0], Choice):
            return _jitter(ends[0]) if ends else "unknown", None
        choice = ends[0]
        stops = isinstance(choice.no, Literal) and isinstance(choice.no.value, float) and choice.no.value < 0
        asked = isinstance(choice.test, Call) and isinstance(choice.test.of, Member) and choice.test.of.name == "spend"
        return _jitter(choice.yes), self._budget(parts) if stops and asked else None

    def _budget(self, parts: Mapping[str, Any]) -> float | None:
        """What a call earns over what a retry spends."""
        earn, spend = self.functions.get("earn"), self.functions.get("spend")
        made = next((new for part in parts.values() for new in news(part, "RetryBudget")), None)
        earned = any(list(calls(function.body, "earn")) for function in self.functions.values())
        if not (earn and spend and made and earned):
            return None
        added = [one for step in steps(earn.body) for one in inside(step.value) if isinstance(one, Operation)]
        taken = [step.value for step in steps(spend.body) if step.kind == "set"]
        if len(added) != 1 or added[0].sign != "+" or dotted(added[0].right) != "share" or len(taken) != 1:
            return None
        if not isinstance(taken[0], Operation) or taken[0].sign != "-":
            return None
        share, price = value(made.args[0], self.constants), value(taken[0].right, self.constants)
        return float(share or 0) / float(price or 1)


def _limited(own: Function) -> list[Call]:
    return [*calls(own.body, "executeFutureSupplier"), *calls(own.body, "decorateFutureSupplier")]


def _resolved(arg: Expression, local: Mapping[str, Expression]) -> Expression:
    """The argument with the variables in it replaced by what was put into them."""
    match arg:
        case Name(text) if text in local:
            return _resolved(local[text], {name: said for name, said in local.items() if name != text})
        case Call(of, args):
            return Call(_resolved(of, local), tuple(_resolved(one, local) for one in args))
        case Member(of, name):
            return Member(_resolved(of, local), name)
        case New(kind, args, fields):
            return New(kind, tuple(_resolved(one, local) for one in args), fields)
        case Items(values):
            return Items(tuple(_resolved(one, local) for one in values))
        case _:
            return arg


def _jitter(wait: Expression) -> str:
    """Full where it is drawn between nothing and what was said, none where it is what was said."""
    if isinstance(wait, Call) and isinstance(wait.of, Member):
        if wait.of.name == "apply":
            return "none"
        drawn = wait.args[0] if wait.args else Literal(None)
        if wait.of.name == "nextLong" and len(wait.args) == 1 and isinstance(drawn, Operation) and drawn.sign == "+":
            return "full" if drawn.right == Literal(1.0) and _jitter(drawn.left) == "none" else "unknown"
    return "unknown"


def _meaning(program: _Program, order: list[tuple[str, str]], parts: Mapping[str, Any]) -> dict[Term, Value]:
    layers = [layer for layer, _ in order]
    here = {layer: program.part(part, parts) for layer, part in order}
    # The outermost time limiter is the deadline of all tries; only a fallback may stand around it.
    limiters = [(layer, part) for layer, part in order if layer != "fallback"]
    overall: Value = None
    if limiters and limiters[0][0] == "timeout":
        overall = limit(program.part(limiters[0][1], parts).settings)
        layers.remove("timeout")
    inner = [part for layer, part in limiters[1:] if layer == "timeout"]
    tried = here.get("retry")
    spared = (tried.jitter, tried.budget) if tried else ("none", None)
    return {
        "per_try": limit(program.part(inner[-1], parts).settings) if inner else None,
        "overall": overall,
        **retry(tried.settings if tried else None, *spared, breaker="breaker" in here),
        **breaker(here["breaker"].settings if "breaker" in here else None),
        "concurrent": bulkhead(here["bulkhead"].settings) if "bulkhead" in here else None,
        "rate": rate(here["limit"].settings) if "limit" in here else None,
        "hedge_after": None,
        "layers": tuple(layers),
    }
