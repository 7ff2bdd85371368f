"""Which capabilities there are: a tuple of module names, imported when one is first used.

A face never names a capability: it loops over this registry, and a capability's own words (its options,
its help, its formats) come from the `Capability` that its package exposes as `capability`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from halfopen.progress import Progress
    from halfopen.source import Source
    from halfopen.vocabulary import Artifact, Check, Decision, Finding, Obligation, Verdict

# One line per capability: its name on every face, and the package that exposes it.
MODULES: Mapping[str, str] = {
    "saga": "halfopen_generators.saga",
    "grpc": "halfopen_generators.grpc",
    "breaker": "halfopen_generators.breaker",
}

# What checks files that are no capability's spec: the end of their names, and the module whose `check` does it.
# A capability may take a kind of file over, by a module of its own here.
FILE_CHECKERS: Mapping[str, str] = {
    ".proto": "halfopen.checkers.protos",
}


class Options(BaseModel):
    """What a caller may set beside the spec. Each field becomes a CLI flag and a tool argument.

    A field's type must be a Literal, a bool, an int, a float or a str (or one of these or None), with a
    default and a description: that is all that a face needs to offer it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True)
class Judged:
    """What `check` found: everything of a report but its decisions and artifacts."""

    summary: str
    findings: tuple[Finding, ...] = ()
    obligations: tuple[Obligation, ...] = ()
    checks: tuple[Check, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    # What render needs to know of the check beyond the report, such as the runs to turn into tests.
    details: Any = None


@dataclass(frozen=True)
class FolderCheck:
    """What a capability says of a folder that it didn't make: `--check DIR`, compared with `--against OTHER`.

    `judge` gets the two as the user wrote them, and a source without data that knows the caller's folders.
    """

    folder: str
    other: str
    judge: Callable[[str, str | None, Source, Progress], Judged]


@dataclass(frozen=True)
class Capability:
    """One thing Halfopen can do, as four functions over its own spec and design.

    `design` is pure and decides everything, `check` says what is wrong with it, `render` spells it out.
    """

    name: str
    title: str
    summary: str
    tool: str
    spec: type[BaseModel]
    design: Callable[[Any, Source, Any], Any]
    decisions: Callable[[Any], tuple[Decision, ...]]
    check: Callable[[Any, Any, Progress], Judged]
    render: Callable[[Any, Judged, Any], tuple[Artifact, ...]]
    options: type[Options] = Options
    # Keys of the spec whose value names a file or folder of the user's.
    paths: tuple[str, ...] = ()
    # Suffixes by which `halfopen check` and the hooks know this capability's files.
    file_suffixes: tuple[str, ...] = field(default=())
    # Options that leave time to confirm what was found, where a check has a few seconds in all; None: the defaults.
    quick: Options | None = None
    # What it can say of what is there already.
    folder_check: FolderCheck | None = None


@cache
def capability(name: str) -> Capability:
    """The capability of that name, imported on first use.

    Raises:
        KeyError: no capability bears the name.
    """
    found = importlib.import_module(MODULES[name]).capability
    if not isinstance(found, Capability):
        raise TypeError(f"{MODULES[name]}.capability is {found!r}, not a Capability")
    return found


def capabilities() -> Iterator[Capability]:
    """All capabilities, in the order of the registry."""
    return (capability(name) for name in MODULES)
