"""Code as a reader sees it: expressions and statements that look the same in Java, TypeScript, Go and C#.

A reader asks what is called with what, and in which order. How a language writes that is said by `syntax.py`; here is
only what came out of it. What has no word here is `Other`, with its text, and means nothing to a reader.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import TypeVar

Found = TypeVar("Found", bound="Expression")


@dataclass(frozen=True)
class Expression:
    """Anything that has a value."""


@dataclass(frozen=True)
class Name(Expression):
    """An identifier, or a type that stands for itself: NAME, ConnectException.class."""

    text: str


@dataclass(frozen=True)
class Literal(Expression):
    """A number, a text, true or false, or nothing."""

    value: float | str | bool | None


@dataclass(frozen=True)
class Member(Expression):
    """What hangs on something: of.name."""

    of: Expression
    name: str


@dataclass(frozen=True)
class Call(Expression):
    """A call of a function or a method; `of` is what is called."""

    of: Expression
    args: tuple[Expression, ...]


@dataclass(frozen=True)
class New(Expression):
    """A new object: by a constructor's arguments, by fields, or both. Of an object literal the type is empty."""

    type: str
    args: tuple[Expression, ...] = ()
    fields: Mapping[str, Expression] = field(default_factory=dict)


@dataclass(frozen=True)
class Items(Expression):
    """A list."""

    values: tuple[Expression, ...]


@dataclass(frozen=True)
class Operation(Expression):
    """An operator between two, or before one (then `left` is nothing)."""

    sign: str
    left: Expression
    right: Expression


@dataclass(frozen=True)
class Choice(Expression):
    """One or the other."""

    test: Expression
    yes: Expression
    no: Expression


@dataclass(frozen=True)
class Step:
    """A statement: `kind` is set, return, do, if, loop, throw or other; `body` and `other` are the blocks in it."""

    kind: str
    target: str = ""
    value: Expression = Literal(None)
    body: tuple[Step, ...] = ()
    other: tuple[Step, ...] = ()


@dataclass(frozen=True)
class Function(Expression):
    """A function without a name, or the body of a method."""

    params: tuple[str, ...]
    body: tuple[Step, ...]


@dataclass(frozen=True)
class Other(Expression):
    """What a reader has no word for."""

    text: str


@dataclass(frozen=True)
class Code:
    """One file: its functions and methods, its constants, the fields of its types in order, what a type extends."""

    functions: Mapping[str, Function]
    constants: Mapping[str, Expression]
    types: Mapping[str, tuple[str, ...]]
    extends: Mapping[str, str]
    # What each definition at the top comes to, without its comments and layout: other code has another digest.
    digests: Mapping[str, str] = field(default_factory=dict)
    # Whether the parser understood all of it.
    whole: bool = True


def dotted(expression: Expression) -> str:
    """`a.b.c` of members of a name; empty if it is anything else."""
    match expression:
        case Name(text):
            return text
        case Member(of, name):
            before = dotted(of)
            return f"{before}.{name}" if before else ""
        case _:
            return ""


def inside(part: object) -> Iterator[Expression]:
    """All expressions in it, itself first, in the order of the text."""
    if isinstance(part, Expression):
        yield part
    if isinstance(part, tuple):
        for one in part:
            yield from inside(one)
    elif isinstance(part, Mapping):
        for one in part.values():
            yield from inside(one)
    elif isinstance(part, (Expression, Step)):
        for one in fields(part):
            yield from inside(getattr(part, one.name))


def steps(body: tuple[Step, ...]) -> Iterator[Step]:
    """All statements in it, also those in blocks of others, in the order of the text."""
    for step in body:
        yield step
        yield from steps(step.body)
        yield from steps(step.other)


def calls(part: object, name: str) -> Iterator[Call]:
    """All calls in it of what bears this name, or of a member of that name; a dotted name has to be all of it."""
    for found in inside(part):
        if isinstance(found, Call):
            whole = dotted(found.of)
            last = found.of.name if isinstance(found.of, Member) else whole
            if name == (whole if "." in name else last):
                yield found


def news(part: object, name: str) -> Iterator[New]:
    """All new objects of that type in it."""
    return (found for found in inside(part) if isinstance(found, New) and found.type == name)


def chain(expression: Expression) -> tuple[str, dict[str, tuple[Expression, ...]]]:
    """What a builder starts from, and what is said to it: A.of().b(1).c(2) is "A.of", {"b": (1,), "c": (2,)}.

    Of what is said twice the last holds, as it does for the builder.
    """
    said: dict[str, tuple[Expression, ...]] = {}
    here = expression
    while isinstance(here, Call) and isinstance(here.of, Member) and not dotted(here.of):
        said.setdefault(here.of.name, here.args)
        here = here.of.of
    return (dotted(here.of) if isinstance(here, Call) else dotted(here)), said


def value(expression: Expression, known: Mapping[str, Expression]) -> float | str | bool | None:
    """What an expression of literals and constants comes to.

    Raises:
        ValueError: It isn't one of those.
    """
    match expression:
        case Literal(found):
            return found
        case Name(text) if text in known:
            return value(known[text], known)
        case Member(_, name) if name in known:
            return value(known[name], known)
        case Operation(sign, left, right):
            return _operation(sign, value(left, known), value(right, known))
        case _:
            raise ValueError(f"not a constant: {expression}")


def _operation(sign: str, left: float | str | bool | None, right: float | str | bool | None) -> float | str:  # noqa: FBT001 - a literal's value
    if sign == "+" and isinstance(left, str) and isinstance(right, str):
        return left + right
    if isinstance(right, bool) or isinstance(left, (bool, str)) or not isinstance(right, (int, float)):
        raise ValueError(f"{left!r} {sign} {right!r}")  # noqa: TRY004 - the text's fault, not the caller's
    if sign == "-":
        return (left or 0) - right
    if sign == "*" and left is not None:
        return left * right
    if sign == "/" and left is not None and right:
        return left / right
    raise ValueError(f"{left!r} {sign} {right!r}")
