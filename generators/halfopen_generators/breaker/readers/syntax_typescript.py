"""TypeScript, as tree-sitter-typescript parses it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from halfopen_generators.breaker.readers.code import Code, Expression, Function, Items, Literal, Member, Name, New, Step
from halfopen_generators.breaker.readers.syntax import (
    Gathered,
    Reader,
    all_nodes,
    branched,
    call,
    children,
    choice,
    digest,
    done,
    first_child,
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


def typescript(source: str) -> Code:
    """The file's methods and functions, its constants and the fields of its classes (as this.name)."""
    import tree_sitter_typescript  # noqa: PLC0415 - imported where it is first used
    from tree_sitter import Language, Parser  # noqa: PLC0415

    root = Parser(Language(tree_sitter_typescript.language_typescript())).parse(source.encode()).root_node
    found = Gathered()
    for node in all_nodes(root):
        name = text(part(node, "name"))
        if node.type in {"method_definition", "function_declaration"}:
            found.functions[name] = Function(_params(part(node, "parameters")), _TYPESCRIPT.block(part(node, "body")))
        elif node.type == "public_field_definition":
            found.constants[f"this.{name}"] = _TYPESCRIPT.expression(part(node, "value"))
        elif node.type == "class_declaration":
            heritage = [child for child in children(node) if child.type == "class_heritage"]
            for extended in (one for above in heritage for one in children(above) if one.type == "extends_clause"):
                found.extends[name] = text(part(extended, "value"))
    for node in children(root):
        declared = part(node, "declaration") or node
        if declared.type == "lexical_declaration":
            for step in _declared(_TYPESCRIPT, declared):
                found.constants[step.target] = step.value
                found.digests[step.target] = digest(declared)
        if name := text(part(declared, "name")):
            found.digests[name] = digest(declared)
    return found.code(root)


def _params(node: Node | None) -> tuple[str, ...]:
    return tuple(text(part(child, "pattern")) or text(child) for child in children(node))


def _arrow(reader: Reader, node: Node) -> Expression:
    alone = part(node, "parameter")
    params = (text(alone),) if alone else _params(part(node, "parameters"))
    body = part(node, "body")
    if body is not None and body.type == "statement_block":
        return Function(params, reader.block(body))
    return Function(params, (Step("return", value=reader.expression(body)),))


def _creation(reader: Reader, node: Node) -> Expression:
    return New(text(part(node, "constructor")), reader.arguments(part(node, "arguments")))


def _object(reader: Reader, node: Node) -> Expression:
    fields: dict[str, Expression] = {}
    for child in children(node):
        if child.type == "pair":
            key = text(part(child, "key")).strip("\"'")
            fields[key] = reader.expression(part(child, "value"))
        else:
            fields[text(child)] = Name(text(child))
    return New("", fields=fields)


def _declared(reader: Reader, node: Node) -> Iterator[Step]:
    for child in children(node):
        if child.type == "variable_declarator":
            yield Step("set", text(part(child, "name")), reader.expression(part(child, "value")))


def _member(reader: Reader, node: Node) -> Expression:
    return Member(reader.expression(part(node, "object")), text(part(node, "property")))


_TYPESCRIPT = Reader(
    shapes={
        "identifier": name_of,
        "property_identifier": name_of,
        "this": name_of,
        "member_expression": _member,
        "call_expression": call,
        "new_expression": _creation,
        "object": _object,
        "array": lambda reader, node: Items(tuple(reader.expression(child) for child in children(node))),
        "arrow_function": _arrow,
        "await_expression": first_child,
        "as_expression": first_child,
        "satisfies_expression": first_child,
        "non_null_expression": first_child,
        "parenthesized_expression": first_child,
        "binary_expression": operation,
        "unary_expression": unary,
        "ternary_expression": choice,
        "string": lambda _, node: unquoted(text(node)),
        "number": lambda _, node: of_number(text(node)),
        "true": lambda _, __: Literal(value=True),
        "false": lambda _, __: Literal(value=False),
        "null": lambda _, __: Literal(None),
        "undefined": lambda _, __: Literal(None),
    },
    statements={
        "expression_statement": done,
        "lexical_declaration": _declared,
        "return_statement": returned,
        "if_statement": branched,
        "throw_statement": thrown,
    },
)
