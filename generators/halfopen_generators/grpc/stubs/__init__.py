"""Servers to fill in and clients that call as designed: a project below `stubs/LANGUAGE/`, one module per language."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from typing import Protocol

from halfopen.findings import at
from halfopen.source import Location
from halfopen.vocabulary import Artifact, Finding, Severity
from halfopen_generators.grpc.codes import finding
from halfopen_generators.grpc.options import Stubs
from halfopen_generators.grpc.plan import Api

FOLDER = "stubs"
# One line per language: the module of this folder, a `Language`, imported when it is asked for.
_MODULES: Mapping[Stubs, str] = {
    "python": "python",
    "go": "go",
    "java": "java",
    "typescript": "typescript",
}


class Language(Protocol):
    """What the module of a language offers."""

    def files(self, api: Api) -> Iterator[Artifact]:
        """The project."""

    def unsupported(self, api: Api) -> tuple[str, ...]:
        """What the design asks for and the project doesn't do, a sentence each."""


def files(api: Api, language: Stubs) -> Iterator[Artifact]:
    """The project in that language; nothing for `none`."""
    if language != "none":
        yield from _module(language).files(api)


def findings(api: Api, language: Stubs) -> Iterator[Finding]:
    """PRT14: what the design promises and the project in that language leaves to whoever fills it in."""
    if language == "none":
        return
    for text in _module(language).unsupported(api):
        yield finding(
            "PRT14",
            text,
            f"Keep it in your own code where it matters; the README of {FOLDER}/{language} says the same.",
            at(*_place(api, text)),
            severity=Severity.INFO,
        )


def _place(api: Api, text: str) -> Location:
    """The rpc that the sentence begins with, or all of the services."""
    for service in api.services:
        for rpc in service.methods:
            if text.startswith(f"{service.name}.{rpc.name} "):
                return rpc.location
    return ("services",)


def _module(language: Stubs) -> Language:
    found: Language = importlib.import_module(f"{__name__}.{_MODULES[language]}")
    return found
