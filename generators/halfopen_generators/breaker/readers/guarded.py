"""How a call is guarded in code: what is put around it, in which order, by helpers that are known or were changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from halfopen_generators.breaker.readers.code import (
    Call,
    Code,
    Expression,
    Function,
    Items,
    Literal,
    Member,
    Name,
    New,
    Step,
    calls,
    dotted,
    value,
)
from halfopen_generators.breaker.reading import Term, Value

BREAKER: tuple[Term, ...] = (
    "window", "size", "minimum_calls", "failure_ratio", "slow_ratio", "slow_after", "open_for", "probes",
)  # fmt: skip
NO_RETRY: dict[Term, Value] = {
    **dict.fromkeys(("first_wait", "factor", "longest_wait", "jitter", "budget")),
    "attempts": 1,
    "retried_on": (),
    "retries_open": False,
}


@dataclass(frozen=True)
class Guarded:
    """All files of a policy, taken together."""

    functions: Mapping[str, Function]
    constants: Mapping[str, Expression]
    extends: Mapping[str, str]
    # What was changed of the helpers that are known, or is not there at all.
    changed: frozenset[str]

    @classmethod
    def of(cls, codes: Iterable[Code], known: Mapping[str, str], library: Mapping[str, str]) -> Guarded:
        """`known` are the digests of helpers that were looked at; `library` what the library's own classes extend.

        Raises:
            ValueError: a file isn't well-formed.
        """
        files = list(codes)
        if not files or not all(code.whole for code in files):
            raise ValueError("a file isn't well-formed")
        digests = {name: found for code in files for name, found in code.digests.items()}
        return cls(
            {name: found for code in files for name, found in code.functions.items()},
            {name: found for code in files for name, found in code.constants.items()},
            {**library, **{name: found for code in files for name, found in code.extends.items()}},
            frozenset(name for name, digest in known.items() if digests.get(name) != digest),
        )

    def around(self, method: str) -> list[Call]:
        """What that method puts around the call, from the inside; what isn't a call of something is a call of nothing.

        Raises:
            ValueError: it doesn't put anything around a call.
        """
        function = self.functions.get(method)
        ended = [step.value for step in function.body if step.kind == "return"] if function else []
        if not function or not ended or not isinstance(ended[-1], Call):
            raise ValueError("no method guards a call and makes it")
        name = dotted(ended[-1].of)
        said = [step.value for step in function.body if step.kind == "set" and step.target == name]
        if not said or not isinstance(said[0], Function):
            raise ValueError("no method guards a call and makes it")
        return [self._step(one, name) for one in said[1:]]

    def _step(self, said: Expression, name: str) -> Call:
        if isinstance(said, Call) and any(dotted(arg) == name for arg in said.args):
            return said
        return Call(Name("something else"), ())

    def helper(self, call: Call) -> str:
        """The helper that this step uses: a function, or the class of the object whose method it calls."""
        owner = call.of.of if isinstance(call.of, Member) else None
        made = self.resolved(owner) if owner else None
        return made.type if isinstance(made, New) else dotted(call.of)

    def layers(self, around: Iterable[Call], layers: Mapping[str, str]) -> list[str]:
        """What each step is, by its helper. Of helpers that were changed nothing is known, whoever uses them."""
        by_whom = f", by a changed {', '.join(sorted(self.changed))}" if self.changed else ""
        return [layers.get(name, name) + by_whom for name in map(self.helper, around)]

    def resolved(self, said: Expression) -> Expression:
        """What a constant or a field was set to, by way of others perhaps; itself otherwise."""
        here, seen = said, set[str]()
        while (name := dotted(here)) and name not in seen:
            seen.add(name)
            here = self.constants.get(name, self.constants.get(name.rpartition(".")[2], here))
        return here

    def number(self, said: Expression | None) -> Value:
        """The value of a literal or a constant; its text if it is neither, and nothing if there is nothing."""
        if said is None:
            return None
        try:
            found = value(self.resolved(said), self.constants)
        except ValueError:
            return str(said)
        return found

    def seconds(self, said: Expression | None) -> Value:
        """So many milliseconds, in seconds."""
        found = self.number(said)
        return found / 1000 if isinstance(found, float) else found

    def kinds(self, said: Expression | None) -> list[str]:
        """The classes in a list."""
        found = self.resolved(said) if said else Literal(None)
        return [dotted(one) for one in found.values] if isinstance(found, Items) else [dotted(found)]

    def is_a(self, kind: str, kinds: Iterable[str]) -> bool:
        """Whether it is one of these classes, or extends one."""
        wanted, here, seen = set(kinds), kind, set[str]()
        while here and here not in seen:
            if here in wanted:
                return True
            seen.add(here)
            here = self.extends.get(here, "")
        return False

    def earns(self, method: str) -> bool:
        """Whether each call pays into the budget."""
        found = self.functions.get(method)
        return bool(found and list(calls(found.body, "earn")))

    def returned(self, name: str) -> Step | None:
        """What a function of one statement gives back."""
        found = self.functions.get(name)
        return found.body[0] if found and len(found.body) == 1 else None
