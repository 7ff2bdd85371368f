"""Servers to fill in and clients that call as designed: a project below `stubs/LANGUAGE/`, one module per language."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping

from halfopen.vocabulary import Artifact
from halfopen_generators.grpc.options import Stubs
from halfopen_generators.grpc.plan import Api

FOLDER = "stubs"
# One line per language: the module of this folder whose `files(api)` spells it, imported when it is asked for.
_MODULES: Mapping[Stubs, str] = {
    "python": "python",
    "go": "go",
    "java": "java",
    "typescript": "typescript",
}


def files(api: Api, language: Stubs) -> Iterator[Artifact]:
    """The project in that language; nothing for `none`."""
    if language == "none":
        return
    made: Iterator[Artifact] = importlib.import_module(f"{__name__}.{_MODULES[language]}").files(api)
    yield from made
