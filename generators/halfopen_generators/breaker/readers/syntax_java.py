"""Java, as tree-sitter-java parses it."""

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
    done,
    first_child,
    last_child,
    name_of,
    of_number,
    operation,
    part,
    returned,
    text,
    thrown,
    unary,
    unquoted,
)

if TYPE_CHECKING:
    from tree_sitter import Node


def java(source: str) -> Code:
    """The file's methods by name, static constants, records' components, and what its classes extend."""
    import tree_sitter_java  # noqa: PLC0415 - imported where it is first used
    from tree_sitter import Language, Parser  # noqa: PLC0415

    root = Parser(Language(tree_sitter_java.language())).parse(source.encode()).root_node
    found = Gathered()
    for node in all_nodes(root):
        name = text(part(node, "name"))
        if node.type in {"method_declaration", "constructor_declaration", "compact_constructor_declaration"}:
            found.functions[name] = Function(_params(part(node, "parameters")), _JAVA.block(part(node, "body")))
        elif node.type == "record_declaration":
            found.types[name] = _params(part(node, "parameters"))
        elif node.type == "class_declaration" and (above := part(node, "superclass")):
            found.extends[name] = text(children(above)[0])
        elif node.type == "field_declaration":
            for step in _declared(_JAVA, node):
                found.constants[step.target] = step.value
    return found.code(root)


def _params(node: Node | None) -> tuple[str, ...]:
    if node is None:
        return ()
    if node.type == "identifier":
        return (text(node),)
    return tuple(text(part(child, "name")) or text(child) for child in children(node))


def _invocation(reader: Reader, node: Node) -> Expression:
    of, name = part(node, "object"), text(part(node, "name"))
    called = Member(reader.expression(of), name) if of else Name(name)
    return Call(called, reader.arguments(part(node, "arguments")))


def _creation(reader: Reader, node: Node) -> Expression:
    made = part(node, "type")
    bare = text(children(made)[0]) if made and made.type == "generic_type" else text(made)
    return New(bare, reader.arguments(part(node, "arguments")))


def _lambda(reader: Reader, node: Node) -> Expression:
    body = part(node, "body")
    if body is not None and body.type == "block":
        return Function(_params(part(node, "parameters")), reader.block(body))
    return Function(_params(part(node, "parameters")), (Step("return", value=reader.expression(body)),))


def _declared(reader: Reader, node: Node) -> Iterator[Step]:
    for child in children(node):
        if child.type == "variable_declarator":
            yield Step("set", text(part(child, "name")), reader.expression(part(child, "value")))


_JAVA = Reader(
    shapes={
        "identifier": name_of,
        "type_identifier": name_of,
        "scoped_type_identifier": name_of,
        "class_literal": first_child,
        "field_access": lambda reader, node: Member(reader.expression(part(node, "object")), text(part(node, "field"))),
        "method_reference": lambda reader, node: Member(reader.expression(children(node)[0]), text(children(node)[-1])),
        "method_invocation": _invocation,
        "object_creation_expression": _creation,
        "lambda_expression": _lambda,
        "parenthesized_expression": first_child,
        "cast_expression": last_child,
        "binary_expression": operation,
        "unary_expression": unary,
        "ternary_expression": choice,
        "string_literal": lambda _, node: unquoted(text(node)),
        "decimal_integer_literal": lambda _, node: of_number(text(node)),
        "decimal_floating_point_literal": lambda _, node: of_number(text(node)),
        "true": lambda _, __: Literal(value=True),
        "false": lambda _, __: Literal(value=False),
        "null_literal": lambda _, __: Literal(None),
    },
    statements={
        "expression_statement": done,
        "local_variable_declaration": _declared,
        "return_statement": returned,
        "if_statement": branched,
        "throw_statement": thrown,
    },
)
