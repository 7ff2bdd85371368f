"""Types of other packages: which file defines one, and how a name is written so that it means the one that is meant."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from functools import cache
from pathlib import Path

from halfopen.checkers import programs
from halfopen_generators.grpc.released import Previous
from halfopen_generators.grpc.types import WELL_KNOWN

# A full name: the package in lower case, then the type, perhaps within another.
FULL_NAME = re.compile(r"[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)*(\.[A-Z][A-Za-z0-9_]*)+")
_TOP_LEVEL = re.compile(r"^(?:message|enum)\s+([A-Za-z_][A-Za-z0-9_]*)", re.MULTILINE)
_WELL_KNOWN = {full: (word, file) for word, (full, file) in WELL_KNOWN.items()}


def file_of(name: str, base: Previous | None) -> str | None:
    """The file that defines the type of that full name: of the released files, or of those that need no copy.

    None if there is none.
    """
    if base is not None and name in base.types:
        return base.types[name]
    if name in _WELL_KNOWN:
        return _WELL_KNOWN[name][1]
    package, _, kind = name.rpartition(".")
    return _known(package).get(kind) if FULL_NAME.fullmatch(name) else None


def word_of(name: str) -> str:
    """What a spec calls the type of that full name."""
    return _WELL_KNOWN[name][0] if name in _WELL_KNOWN else name


def spelled(name: str, package: str, scope: str, local: Collection[str]) -> str:
    """A type as a `.proto` file has to write it.

    Args:
        name: The type as a spec has it: a word, a name within the package, or a full name.
        package: The package.
        scope: The message, within the package, in which the type is named; empty outside of any.
        local: The messages and enums of the package.
    """
    full = WELL_KNOWN[name][0] if name in WELL_KNOWN else name
    if name in local:
        full = f"{package}.{name}"
    # Protobuf looks for the first part of a name from the inside out, and gives up if what it finds has not the rest.
    first = (name if name in local else full).partition(".")[0]
    around = [".".join(scope.split(".")[:end]) for end in range(scope.count(".") + 1, 0, -1)] if scope else []
    hidden = any(f"{outer}.{first}" in local for outer in around)
    if name in local:
        return f".{full}" if hidden else name
    return f".{full}" if hidden or first in local or first in package.split(".")[1:] else full


@cache
def _known(package: str) -> Mapping[str, str]:
    """The messages and enums of a package that comes with this installation, and the file of each."""
    found: dict[str, str] = {}
    for top in programs.known_protos():
        folder = Path(top, *package.split("."))
        for path in sorted(folder.glob("*.proto")):
            shipped = path.relative_to(top).as_posix()
            name = next((name for name, other in programs.SHIPPED_AS.items() if other == shipped), shipped)
            found |= dict.fromkeys(_TOP_LEVEL.findall(path.read_text(encoding="utf-8")), name)
    return found
