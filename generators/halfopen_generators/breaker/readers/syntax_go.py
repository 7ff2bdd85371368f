"""Go, as tree-sitter-go parses it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

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
    Operation,
    Step,
    inside,
)
from halfopen_generators.breaker.readers.syntax import (
    NOTHING,
    Gathered,
    Reader,
    all_nodes,
    branched,
    children,
    digest,
    first_child,
    name_of,
    of_number,
    operation,
    part,
    text,
    unary,
    unquoted,
)

if TYPE_CHECKING:
    from tree_sitter import Node

_METHODS = {"method_declaration", "function_declaration"}


def go(source: str) -> Code:
    """The file's functions and methods, what is declared at its top, and the fields of the objects its methods have.

    A field is kept by the name that methods call their object by: c.breaker.
    """
    import tree_sitter_go  # noqa: PLC0415 - imported where it is first used
    from tree_sitter import Language, Parser  # noqa: PLC0415

    root = Parser(Language(tree_sitter_go.language())).parse(source.encode()).root_node
    found = Gathered()
    called: dict[str, str] = {}
    for node in children(root):
        name = text(part(node, "name"))
        if node.type in _METHODS:
            found.functions[name] = Function(_params(part(node, "parameters")), _GO.block(part(node, "body")))
            receiver = part(node, "receiver")
            owner, own = _receiver(receiver)
            found.digests[f"{owner}.{name}" if owner else name] = digest(node)
            called.update({owner: own} if owner else {})
        elif node.type in {"var_declaration", "const_declaration"}:
            for step in _declared(_GO, node):
                found.constants[step.target] = step.value
                found.digests[step.target] = digest(node)
        else:
            for spec in (one for one in children(node) if one.type in {"type_spec", "type_alias"}):
                found.digests[text(part(spec, "name"))] = digest(node)
    for function in list(found.functions.values()):
        objects = [made for made in inside(function) if isinstance(made, New) and made.type in called]
        for made in objects:
            found.constants.update({f"{called[made.type]}.{name}": said for name, said in made.fields.items()})
        if objects:
            # What goes into several fields has a name of its own before.
            found.constants.update({step.target: step.value for step in function.body if step.kind == "set"})
    return found.code(root)


def _receiver(node: Node | None) -> tuple[str, str]:
    """The type of a method's object, and what the method calls it."""
    for child in children(node):
        kinds = [one for one in all_nodes(child) if one.type == "type_identifier"]
        return text(kinds[0]) if kinds else "", text(part(child, "name"))
    return "", ""


def _params(node: Node | None) -> tuple[str, ...]:
    return tuple(text(one) for child in children(node) for one in child.children_by_field_name("name"))


def _type(node: Node | None) -> str:
    """The name of a type without what it is generic in."""
    if node is not None and node.type in {"generic_type", "pointer_type"}:
        return _type(children(node)[0])
    return text(node)


def _call(reader: Reader, node: Node) -> Expression:
    return Call(reader.expression(part(node, "function")), reader.arguments(part(node, "arguments")))


def _conversion(reader: Reader, node: Node) -> Expression:
    """A generic function of one argument looks like a conversion to a type."""
    *owner, name = _type(part(node, "type")).split(".")
    called: Expression = Member(Name(owner[0]), name) if owner else Name(name)
    return Call(called, (reader.expression(part(node, "operand")),))


def _composite(reader: Reader, node: Node) -> Expression:
    kind, body = part(node, "type"), children(part(node, "body"))
    keyed = [child for child in body if child.type == "keyed_element"]
    if not keyed and kind is not None and kind.type == "slice_type":
        return Items(tuple(reader.expression(child) for child in body))
    fields = {
        text(part(child, "key")): reader.expression(part(child, "value")) for child in keyed
    }  # fmt: skip
    return New(_type(kind), fields=fields)


def _unary(reader: Reader, node: Node) -> Expression:
    found = unary(reader, node)
    # A pointer to something new means that.
    return found.right if isinstance(found, Operation) and found.sign == "&" else found


def _function(reader: Reader, node: Node) -> Expression:
    return Function(_params(part(node, "parameters")), reader.block(part(node, "body")))


def _one(reader: Reader, node: Node | None) -> Expression:
    """Of several values the first is looked at."""
    inner = children(node)
    return reader.expression(inner[0]) if inner else NOTHING


def _declared(reader: Reader, node: Node) -> Iterator[Step]:
    for spec in (one for one in all_nodes(node) if one.type in {"var_spec", "const_spec"}):
        yield Step("set", text(part(spec, "name")), _one(reader, part(spec, "value")))


def _assigned(reader: Reader, node: Node) -> Iterator[Step]:
    left, sign = part(node, "left"), text(part(node, "operator")) or "="
    value = _one(reader, part(node, "right"))
    target = children(left)
    if sign not in {"=", ":="} and target:
        value = Operation(sign[:-1], reader.expression(target[0]), value)
    yield Step("set", text(target[0]) if target else "", value)


def _returned(reader: Reader, node: Node) -> Iterator[Step]:
    inner = children(node)
    yield Step("return", value=_one(reader, inner[0]) if inner else NOTHING)


def _done(reader: Reader, node: Node) -> Iterator[Step]:
    yield Step("do", value=reader.expression(children(node)[0]))


def _statements(reader: Reader, node: Node) -> Iterator[Step]:
    yield from reader.block(node)


_GO = Reader(
    shapes={
        "identifier": name_of,
        "type_identifier": name_of,
        "selector_expression": lambda reader, node: Member(
            reader.expression(part(node, "operand")), text(part(node, "field"))
        ),
        "index_expression": lambda reader, node: reader.expression(part(node, "operand")),
        "call_expression": _call,
        "type_conversion_expression": _conversion,
        "composite_literal": _composite,
        "literal_element": first_child,
        "parenthesized_expression": first_child,
        "func_literal": _function,
        "binary_expression": operation,
        "unary_expression": _unary,
        "interpreted_string_literal": lambda _, node: unquoted(text(node)),
        "int_literal": lambda _, node: of_number(text(node)),
        "float_literal": lambda _, node: of_number(text(node)),
        "true": lambda _, __: Literal(value=True),
        "false": lambda _, __: Literal(value=False),
        "nil": lambda _, __: Literal(None),
    },
    statements={
        "statement_list": _statements,
        "expression_statement": _done,
        "var_declaration": _declared,
        "short_var_declaration": _assigned,
        "assignment_statement": _assigned,
        "return_statement": _returned,
        "if_statement": branched,
    },
)
