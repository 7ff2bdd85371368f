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
    # Why there are none, for the caller to read.
    lacking: str = "the client offers no folder as a root."

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
            raise _refusal(argument, f"{path!r} can't be used: {self.lacking}")
        try:
            return inside(path, self.folders)
        except Outside as refused:
            raise _refusal(argument, str(refused)) from None

    def within(self, limits: Roots) -> Roots:
        """What lies in these folders and in those as well, in the order of these."""
        both = [
            folder if folder.is_relative_to(limit) else limit
            for folder in self.folders
            for limit in limits.folders
            if folder.is_relative_to(limit) or limit.is_relative_to(folder)
        ]
        return Roots(tuple(dict.fromkeys(both)), limits.lacking)


@dataclass(frozen=True)
class Reach:
    """Which folders a server touches for its clients.

    Attributes:
        operator: What the server's operator allows, whoever asks; None where the client is on this machine and
            decides itself, as it does over stdio.
    """

    operator: Roots | None = None

    @classmethod
    def of_operator(cls, folders: Iterable[Path]) -> Reach:
        """For clients on other machines: those folders and no others, whatever a client offers."""
        given = tuple(Path(os.path.realpath(folder)) for folder in folders)
        return cls(Roots(given, _NO_ROOT if not given else _NOTHING_SHARED.format(", ".join(map(str, given)))))

    def roots(self, offered: Iterable[str] | None) -> Roots:
        """The folders for one call.

        Args:
            offered: The `file:` URIs that the client offers as roots; None if it offers none or can't be asked.
        """
        if self.operator is None:
            return Roots.of_project(os.environ) if offered is None else Roots.offered(offered)
        return self.operator if offered is None else Roots.offered(offered).within(self.operator)


_NO_ROOT = (
    "this server was started without --root, so it reads and writes no files for its clients. Give the spec inline, "
    "and read the files of the answer as resources, at `report`/`path`."
)
_NOTHING_SHARED = (
    "no folder that the client offers as a root lies in one that this server was started with as --root ({}). "
    "Give the spec inline, and read the files of the answer as resources, at `report`/`path`."
)


def _local_path(uri: str) -> str | None:
    parts = urlsplit(uri)
    return url2pathname(parts.path) if parts.scheme == "file" and parts.netloc in {"", "localhost"} else None


def _refusal(argument: str, message: str) -> BadInput:
    return BadInput([Problem(message, path=argument)])
