"""From a language's grammar to `code.py`'s words, by tree-sitter: one table and a few shapes per language."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from halfopen_generators.breaker.readers.code import (
    Call,
    Choice,
    Code,
    Expression,
    Function,
    Items,
    Literal,
    Name,
    Operation,
    Other,
    Step,
)

if TYPE_CHECKING:
    from tree_sitter import Node

NOTHING = Literal(None)


@dataclass
class Gathered:
    """What was found so far in one file."""

    functions: dict[str, Function] = field(default_factory=dict)
    constants: dict[str, Expression] = field(default_factory=dict)
    types: dict[str, tuple[str, ...]] = field(default_factory=dict)
    extends: dict[str, str] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)

    def code(self, root: Node) -> Code:
        """All of it; whole if the parser found no error."""
        return Code(self.functions, self.constants, self.types, self.extends, self.digests, whole=not root.has_error)


def text(node: Node | None) -> str:
    """The text of a node; empty if there is none."""
    return (node.text or b"").decode() if node else ""


def part(node: Node, name: str) -> Node | None:
    """The child in that role."""
    return node.child_by_field_name(name)


def children(node: Node | None) -> list[Node]:
    """The children that mean something, comments left out."""
    return [child for child in node.named_children if "comment" not in child.type] if node else []


def all_nodes(node: Node) -> Iterator[Node]:
    """The node and all below it, in the order of the text."""
    yield node
    for child in node.named_children:
        yield from all_nodes(child)


def digest(node: Node) -> str:
    """What the code at this node comes to without its comments and layout."""
    words = " ".join(text(leaf) for leaf in _leaves(node))
    return hashlib.sha256(words.encode()).hexdigest()[:16]


def _leaves(node: Node) -> Iterator[Node]:
    if "comment" in node.type:
        return
    if not node.children:
        yield node
    for child in node.children:
        yield from _leaves(child)


def number(told: str) -> float:
    """A number as these languages write it: 1_000, 1L, 0.5f, 2m.

    Raises:
        ValueError: it is hexadecimal or the like, which no figure of ours is.
    """
    return float(told.replace("_", "").rstrip("LlfFdDmMn"))


def of_number(told: str) -> Expression:
    """That number, or what it is instead."""
    try:
        return Literal(number(told))
    except ValueError:
        return Other(told)


def unquoted(told: str) -> Literal:
    """A text without what it is quoted by."""
    return Literal(told[1:-1] if len(told) > 1 else told)


@dataclass(frozen=True)
class Reader:
    """What all four have in common; a language brings its tables: what makes what of which kind of node."""

    shapes: Mapping[str, Callable[[Reader, Node], Expression]]
    statements: Mapping[str, Callable[[Reader, Node], Iterator[Step]]]

    def expression(self, node: Node | None) -> Expression:
        """The expression at this node."""
        if node is None:
            return NOTHING
        shape = self.shapes.get(node.type)
        return shape(self, node) if shape else Other(text(node))

    def block(self, node: Node | None) -> tuple[Step, ...]:
        """The statements of this block; a lone expression is what it returns."""
        if node is None:
            return ()
        return tuple(step for child in children(node) for step in self.step(child))

    def step(self, node: Node) -> Iterator[Step]:
        """What this statement comes to."""
        statement = self.statements.get(node.type)
        if statement:
            yield from statement(self, node)
        else:
            yield Step("other", body=self.block(node))

    def arguments(self, node: Node | None) -> tuple[Expression, ...]:
        """What stands between the brackets of a call."""
        return tuple(self.expression(child) for child in children(node))


def name_of(_: Reader, node: Node) -> Expression:
    """An identifier."""
    return Name(text(node))


def first_child(reader: Reader, node: Node) -> Expression:
    """What stands in brackets, is awaited, or is cast."""
    return reader.expression(children(node)[0])


def last_child(reader: Reader, node: Node) -> Expression:
    """What is cast, where the type comes first."""
    return reader.expression(children(node)[-1])


def operation(reader: Reader, node: Node) -> Expression:
    """Something, an operator, something."""
    sign = part(node, "operator")
    return Operation(text(sign), reader.expression(part(node, "left")), reader.expression(part(node, "right")))


def unary(reader: Reader, node: Node) -> Expression:
    """An operator before something; a minus makes a negative number."""
    sign = text(node)[:1]
    inner = reader.expression(part(node, "operand") or part(node, "argument") or children(node)[-1])
    if sign == "-" and isinstance(inner, Literal) and isinstance(inner.value, float):
        return Literal(-inner.value)
    return Operation(sign, NOTHING, inner)


def choice(reader: Reader, node: Node) -> Expression:
    """One or the other."""
    return Choice(*(reader.expression(part(node, role)) for role in ("condition", "consequence", "alternative")))


def call(reader: Reader, node: Node) -> Expression:
    """A call, where the grammar says function and arguments."""
    return Call(reader.expression(part(node, "function")), reader.arguments(part(node, "arguments")))


def returned(reader: Reader, node: Node) -> Iterator[Step]:
    """What a function gives back."""
    inner = children(node)
    yield Step("return", value=reader.expression(inner[0]) if inner else NOTHING)


def done(reader: Reader, node: Node) -> Iterator[Step]:
    """A statement that is an expression; an assignment sets something."""
    for child in children(node):
        if child.type in {"assignment_expression", "augmented_assignment_expression"}:
            sign = text(part(child, "operator")) or "="
            left, right = part(child, "left"), reader.expression(part(child, "right"))
            value = right if sign == "=" else Operation(sign[:-1], reader.expression(left), right)
            yield Step("set", text(left), value)
        else:
            yield Step("do", value=reader.expression(child))


def branched(reader: Reader, node: Node) -> Iterator[Step]:
    """An if, with its blocks."""
    yield Step(
        "if",
        value=reader.expression(part(node, "condition")),
        body=reader.block(part(node, "consequence")),
        other=reader.block(part(node, "alternative")),
    )


def thrown(reader: Reader, node: Node) -> Iterator[Step]:
    """What is thrown."""
    inner = children(node)
    yield Step("throw", value=reader.expression(inner[0]) if inner else NOTHING)


def items(reader: Reader, node: Node) -> Expression:
    """A list."""
    return Items(tuple(reader.expression(child) for child in children(node)))
