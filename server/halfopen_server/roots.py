"""The folders a caller lets us read and write, and the refusal of every path that leads out of them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from halfopen.folders import Outside, inside
from halfopen.source import BadInput, Problem


@dataclass(frozen=True)
class Roots:
    """Folders, real paths, the first of which relative paths start from."""

    folders: tuple[Path, ...]

    @classmethod
    def offered(cls, uris: Iterable[str]) -> Roots:
        """The folders that a client offers as `file:` URIs; other kinds of root hold no files of ours."""
        return cls(tuple(Path(os.path.realpath(path)) for uri in uris if (path := _local_path(uri))))

    @classmethod
    def of_project(cls, environment: Mapping[str, str]) -> Roots:
        """For a client that offers no roots: the project it names in the environment, else the current folder."""
        return cls((Path(os.path.realpath(environment.get("CLAUDE_PROJECT_DIR") or Path.cwd())),))

    def inside(self, path: str, argument: str) -> Path:
        """That path as a real one, links resolved; what it names need not exist yet.

        Args:
            path: Relative to the first root, or absolute.
            argument: The name under which the caller gave it, for the message.

        Raises:
            BadInput: it is empty, climbs with `..`, or leads outside every root, be it through a link.
        """
        if not self.folders:
            raise _refusal(argument, f"{path!r} can't be used: the client offers no folder as a root.")
        try:
            return inside(path, self.folders)
        except Outside as refused:
            raise _refusal(argument, str(refused)) from None


def _local_path(uri: str) -> str | None:
    parts = urlsplit(uri)
    return url2pathname(parts.path) if parts.scheme == "file" and parts.netloc in {"", "localhost"} else None


def _refusal(argument: str, message: str) -> BadInput:
    return BadInput([Problem(message, path=argument)])
