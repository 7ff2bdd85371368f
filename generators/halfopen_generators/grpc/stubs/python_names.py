"""Names and texts of generated Python: modules, methods and docstrings that hold whatever a spec calls things."""

from __future__ import annotations

import keyword
import sys

from halfopen.templates import snake
from halfopen_generators.grpc.plan import Api
from halfopen_generators.grpc.stubs.naming import apart, plain_name

# What the stubs import by name; a package of that name would hide it.
_IMPORTED = frozenset({"google", "grpc", "grpc_health", "grpc_reflection", "grpc_status", "grpc_tools"})
# What annotations of a class's methods name: a method called so would be taken for it.
_ANNOTATED = frozenset({"float", "grpc", "pb", "tuple"})
# What the modules themselves call things beside the services.
CLASSES = frozenset(
    {"Any", "AsyncGenerator", "AsyncIterable", "AsyncIterator", "Context", "Path", "Protocol", "Servable"}
)


def package(api: Api) -> str:
    """The folder of the code: the API's name, with an ending where Python or a library has that name."""
    name = plain_name(api)
    hidden = name in _IMPORTED or name in sys.stdlib_module_names or keyword.iskeyword(name) or not name.isidentifier()
    return f"api_{name}" if hidden else name


def method(name: str, taken: set[str]) -> str:
    """The rpc's name as a method, apart from those that are taken; it is taken from now on."""
    found = apart(snake(name), {*taken, *keyword.kwlist, *_ANNOTATED})
    taken.add(found)
    return found


def doc(lines: tuple[str, ...], otherwise: str) -> tuple[str, ...]:
    """The lines as a docstring holds them: a first one, or what stands for it, and what follows its blank line."""
    safe = [line.replace("\\", "\\\\").replace('"', '\\"') if _odd(line) else line for line in lines]
    while safe and not safe[0]:
        safe.pop(0)
    first, rest = (safe[0], safe[1:]) if safe else (otherwise, [])
    while rest and not rest[0]:
        rest.pop(0)
    return (first, *rest)


def _odd(line: str) -> bool:
    return "\\" in line or '"""' in line or line.endswith('"')


def path_tuple(names: tuple[str, ...]) -> str:
    """Field names as a tuple of Python."""
    quoted = ", ".join(f'"{name}"' for name in names)
    return f"({quoted},)" if len(names) == 1 else f"({quoted})"
