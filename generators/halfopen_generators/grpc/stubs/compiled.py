"""Whether stubs compile: Python's compiler is here and is asked; the others are not, and that is said."""

from __future__ import annotations

import ast
import platform
from collections.abc import Iterator, Mapping

from halfopen.checkers import programs
from halfopen.vocabulary import Artifact, Check, Status
from halfopen_generators.grpc import stubs
from halfopen_generators.grpc.options import Stubs
from halfopen_generators.grpc.plan import Api
from halfopen_generators.grpc.stubs.python_messages import Messages

NAME = "the stubs compile"
# What compiles a language that isn't compiled here, and how it is called in the folder of its stubs.
_ELSEWHERE: Mapping[Stubs, tuple[str, str]] = {
    "go": ("go", "buf generate && go build ./..."),
    "java": ("javac", "mvn compile"),
    "typescript": ("tsc", "npm install && npm run generate && npm run build"),
}


def tool(language: Stubs) -> str:
    """What compiles the stubs of a language."""
    return _ELSEWHERE[language][0] if language in _ELSEWHERE else language


def check(api: Api, language: Stubs) -> Check:
    """What the compiler says of the stubs in that language."""
    if language in _ELSEWHERE:
        name, command = _ELSEWHERE[language]
        why = f"not compiled here. In {stubs.FOLDER}/{language}: {command}"
        return Check(name=NAME, tool=name, version="none", status=Status.SKIPPED, detail=why)
    found = [file for file in stubs.files(api, language) if file.path.endswith(".py")]
    objection = "\n".join(objections(found, Messages(api).own())) or None
    looked_at = f"{len(found)} files: each compiles, and names only modules, names and messages that are there"
    return programs.answer(NAME, tool(language), platform.python_version(), objection, looked_at)


def objections(files: list[Artifact], messages: Mapping[str, set[str]]) -> Iterator[str]:
    """What is wrong with files of Python, each at its place; nothing of them is run."""
    trees: dict[str, ast.Module] = {}
    for file in files:
        try:
            # Beyond its grammar, the compiler knows where a statement may stand.
            compile(file.text, file.path, "exec", dont_inherit=True)
            trees[file.path] = ast.parse(file.text)
        except (SyntaxError, ValueError) as error:
            yield f"{file.path}:{getattr(error, 'lineno', None) or 1}: {getattr(error, 'msg', None) or error}"
    for path, tree in trees.items():
        yield from _unknown(path, tree, trees, messages)


def _unknown(
    path: str, tree: ast.Module, trees: Mapping[str, ast.Module], messages: Mapping[str, set[str]]
) -> Iterator[str]:
    """Imports from beside the module, and messages, that are not there."""
    # What the modules hold that are imported by their names, such as `deadlines` or `pb`.
    held: dict[str, set[str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level:
            for name in node.names:
                if (objection := _imported(path, node, name, trees, messages, held)) is not None:
                    yield f"{path}:{node.lineno}: {objection}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            known = held.get(node.value.id)
            if known is not None and node.attr not in known:
                yield f"{path}:{node.lineno}: {node.value.id} has no {node.attr}"


def _imported(
    path: str,
    node: ast.ImportFrom,
    name: ast.alias,
    trees: Mapping[str, ast.Module],
    messages: Mapping[str, set[str]],
    held: dict[str, set[str]],
) -> str | None:
    """What is wrong with an import from beside the module; where it is of a module, that one's names are put down."""
    if node.module is not None and node.module.partition(".")[0] == "pb":
        # Of what other packages bring nothing is known here.
        if (own := messages.get(f".{node.module}.{name.name}")) is not None:
            held[name.asname or name.name] = own
        return None
    module = trees.get(f"{path.rpartition('/')[0]}/{node.module or name.name}.py")
    if module is None:
        return f"there is no module {node.module or name.name}"
    if node.module is None:
        held[name.asname or name.name] = _defined(module)
    elif name.name not in _defined(module):
        return f"{node.module} has no {name.name}"
    return None


def _defined(tree: ast.Module) -> set[str]:
    """The names at the top of a module, those that it imports too."""
    found: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found |= {(name.asname or name.name).partition(".")[0] for name in node.names}
        else:
            found |= {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
    return found
