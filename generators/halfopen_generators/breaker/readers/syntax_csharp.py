"""C#, as tree-sitter-c-sharp parses it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from halfopen_generators.breaker.readers.code import Call, Code, Expression, Function, Literal, Member, Name, New, Step
from halfopen_generators.breaker.readers.syntax import (
    Gathered,
    Reader,
    all_nodes,
    branched,
    children,
    choice,
    digest,
    done,
    first_child,
    last_child,
    name_of,
    of_number,
    operation,
    part,
    returned,
    text,
    unary,
    unquoted,
)

if TYPE_CHECKING:
    from tree_sitter import Node

_METHODS = {"method_declaration", "constructor_declaration"}


def csharp(source: str) -> Code:
    """The file's methods and constructors, its fields, and what its classes extend."""
    import tree_sitter_c_sharp  # noqa: PLC0415 - imported where it is first used
    from tree_sitter import Language, Parser  # noqa: PLC0415

    root = Parser(Language(tree_sitter_c_sharp.language())).parse(source.encode()).root_node
    found = Gathered()
    for node in all_nodes(root):
        name = text(part(node, "name"))
        if node.type in _METHODS:
            found.functions[name] = Function(_params(part(node, "parameters")), _body(_CSHARP, part(node, "body")))
        elif node.type == "field_declaration":
            for step in _declared(_CSHARP, node):
                found.constants[step.target] = step.value
        elif node.type == "class_declaration":
            found.digests[name] = digest(node)
            for bases in (child for child in children(node) if child.type == "base_list"):
                found.extends[name] = text(children(bases)[0])
    return found.code(root)


def _params(node: Node | None) -> tuple[str, ...]:
    if node is not None and node.type == "implicit_parameter":
        return (text(node),)
    return tuple(text(part(child, "name")) or text(child) for child in children(node))


def _body(reader: Reader, node: Node | None) -> tuple[Step, ...]:
    """A block, or an arrow and what is returned."""
    if node is not None and node.type == "arrow_expression_clause":
        return (Step("return", value=reader.expression(children(node)[0])),)
    return reader.block(node)


def _type(node: Node | None) -> str:
    """The name of a type without what it is generic in."""
    return text(children(node)[0]) if node is not None and node.type == "generic_name" else text(node)


def _generic(node: Node | None) -> tuple[Expression, ...]:
    """What a method is generic in: Handle<A>() is told like Handle(A)."""
    if node is None or node.type != "generic_name":
        return ()
    return tuple(Name(text(kind)) for child in children(node)[1:] for kind in children(child))


def _member(reader: Reader, node: Node) -> Expression:
    return Member(reader.expression(part(node, "expression")), _type(part(node, "name")))


def _invocation(reader: Reader, node: Node) -> Expression:
    called = part(node, "function")
    named = part(called, "name") if called is not None else None
    return Call(reader.expression(called), (*_generic(named), *reader.arguments(part(node, "arguments"))))


def _creation(reader: Reader, node: Node) -> Expression:
    arguments = part(node, "arguments") or next((one for one in children(node) if one.type == "argument_list"), None)
    fields = {
        text(part(child, "left")): reader.expression(part(child, "right"))
        for child in children(part(node, "initializer"))
        if child.type == "assignment_expression"
    }
    return New(_type(part(node, "type")), reader.arguments(arguments), fields)


def _lambda(reader: Reader, node: Node) -> Expression:
    body = part(node, "body")
    if body is not None and body.type == "block":
        return Function(_params(part(node, "parameters")), reader.block(body))
    return Function(_params(part(node, "parameters")), (Step("return", value=reader.expression(body)),))


def _is(reader: Reader, node: Node) -> Expression:
    """`x is A or B` is a call of `is` with x and the names."""
    pattern = part(node, "pattern")
    names = [one for one in all_nodes(pattern) if one.type == "identifier"] if pattern is not None else []
    return Call(Name("is"), (reader.expression(part(node, "expression")), *(Name(text(name)) for name in names)))


def _declared(reader: Reader, node: Node) -> Iterator[Step]:
    for one in all_nodes(node):
        if one.type == "variable_declarator":
            yield Step("set", text(part(one, "name")), reader.expression(children(one)[-1]))


def _caught(reader: Reader, node: Node) -> Iterator[Step]:
    filters = [one for one in children(node) if one.type == "catch_filter_clause"]
    value = reader.expression(children(filters[0])[0]) if filters else Name("Exception")
    yield Step("catch", value=value, body=reader.block(part(node, "body")))


def _blocks(reader: Reader, node: Node) -> Iterator[Step]:
    yield from reader.block(node)


_CSHARP = Reader(
    shapes={
        "identifier": name_of,
        "predefined_type": name_of,
        "member_access_expression": _member,
        "invocation_expression": _invocation,
        "object_creation_expression": _creation,
        "implicit_object_creation_expression": _creation,
        "lambda_expression": _lambda,
        "argument": last_child,
        "await_expression": first_child,
        "parenthesized_expression": first_child,
        "cast_expression": last_child,
        "is_pattern_expression": _is,
        "binary_expression": operation,
        "prefix_unary_expression": unary,
        "conditional_expression": choice,
        "string_literal": lambda _, node: unquoted(text(node)),
        "integer_literal": lambda _, node: of_number(text(node)),
        "real_literal": lambda _, node: of_number(text(node)),
        "boolean_literal": lambda _, node: Literal(text(node) == "true"),
        "null_literal": lambda _, __: Literal(None),
    },
    statements={
        "expression_statement": done,
        "local_declaration_statement": _declared,
        "return_statement": returned,
        "if_statement": branched,
        "block": _blocks,
        "try_statement": _blocks,
        "catch_clause": _caught,
    },
)
