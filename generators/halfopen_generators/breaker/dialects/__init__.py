"""The dialects: how each library, channel and mesh spells a policy. One module each, imported when it is asked for."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

from halfopen.vocabulary import Artifact, Check
from halfopen_generators.breaker.plan import CallPlan, Kind, Layer
from halfopen_generators.breaker.reading import Reading, Term
from halfopen_generators.breaker.spec import Stack


@dataclass(frozen=True)
class Unsaid:
    """What a dialect can't say of a policy, and what stands in its files instead."""

    terms: tuple[Term, ...]
    why: str
    nearest: str
    # Whether the call is less safe by it than it was designed; otherwise it is only told.
    grave: bool = False


def nothing_to_ask(call: CallPlan, artifacts: tuple[Artifact, ...]) -> tuple[Check, ...]:
    """No check: what the dialect's files are for is no program that can be asked here."""
    del call, artifacts
    return ()


@dataclass(frozen=True)
class Dialect:
    """One way to spell a policy.

    `says` gets the policy as this stack has it to play: where a part is None, the files switch it off if the stack's
    own default is otherwise. `unsaid` is what is then not as intended. `read` understands the files, from their texts
    by path alone. `checks` asks something else that is able to say no, of what `says` gave.
    """

    title: str
    kind: Kind
    version: str
    parts: frozenset[Layer]
    says: Callable[[CallPlan], tuple[Artifact, ...]]
    unsaid: Callable[[CallPlan], tuple[Unsaid, ...]]
    read: Callable[[Mapping[str, str]], Reading]
    checks: Callable[[CallPlan, tuple[Artifact, ...]], tuple[Check, ...]] = nothing_to_ask


# The module of each; it has a `DIALECT`.
MODULES: Mapping[Stack, str] = {
    "resilience4j": "resilience4j",
    "polly": "polly",
    "opossum": "opossum",
    "cockatiel": "cockatiel",
    "gobreaker": "gobreaker",
    "failsafe-go": "failsafe_go",
    "python": "python",
    "grpc": "grpc",
    "envoy": "envoy",
    "istio": "istio",
    "linkerd": "linkerd",
    "consul": "consul",
}


@cache
def dialect(stack: Stack) -> Dialect:
    """The dialect of that stack, imported on first use.

    Raises:
        KeyError: there is no such stack.
    """
    found = importlib.import_module(f"halfopen_generators.breaker.dialects.{MODULES[stack]}").DIALECT
    if not isinstance(found, Dialect):
        raise TypeError(f"{MODULES[stack]}.DIALECT is {found!r}, not a Dialect")
    return found
