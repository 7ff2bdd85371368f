"""The files of a commit, read from the repository's objects.

No git is run: a repository's own configuration can name programs to start, and it may be somebody else's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dulwich.objects import Commit, ObjectID
    from dulwich.repo import Repo

# What follows a commit's name to mean one before it.
_STEPS = re.compile(r"([~^]\d*)+$")
_STEP = re.compile(r"([~^])(\d*)")
_FILE = 0o100000
_KIND = 0o170000


class NotFound(ValueError):  # noqa: N818 - it says what is missing, and becomes a Problem
    """There is no such commit or path; its text says what is missing."""


class NoRepository(NotFound):
    """The folder is in no repository."""


def files_at(folder: Path, ref: str) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """The files below a folder as they were in a commit: names relative to it, and what reads the bytes of each.

    Args:
        folder: A folder of the work tree, which need not be there any more.
        ref: A branch, a tag, HEAD~2, or the start of a commit's name.

    Raises:
        NoRepository: `folder` is in none.
        NotFound: there is no such commit, or no such folder in it.
    """
    from dulwich.object_store import iter_tree_contents, tree_lookup_path  # noqa: PLC0415 - 250 ms that few need
    from dulwich.objects import Tree  # noqa: PLC0415 - the same

    top = _top(folder)
    with _repository(top) as repository:
        try:
            tree = _ancestor(repository, ref).tree
        except (KeyError, ValueError, OSError, IndexError):
            names = sorted({name.decode("utf-8", "replace").rsplit("/", 1)[-1] for name in repository.get_refs()})
            raise NotFound(f"the repository has no commit {ref!r}. It has {', '.join(names[:20])}.") from None
        inside = PurePosixPath(folder.relative_to(top).as_posix())
        if inside.parts:
            try:
                mode, tree = tree_lookup_path(repository.get_object, tree, str(inside).encode())
            except (KeyError, NotADirectoryError, ValueError):
                raise NotFound(f"{str(inside)!r} isn't in the commit {ref!r}.") from None
            if mode & _KIND == _FILE or not isinstance(repository[tree], Tree):
                raise NotFound(f"{str(inside)!r} is no folder in the commit {ref!r}.")
        for entry in iter_tree_contents(repository.object_store, tree):
            name = (entry.path or b"").decode("utf-8", "replace")
            if (entry.mode or 0) & _KIND == _FILE and entry.sha is not None:
                yield name, partial(_bytes, repository, entry.sha)


def _ancestor(repository: Repo, ref: str) -> Commit:
    """The commit that is meant: main, v1.2, 1a2b3c4, HEAD~2, main^2~1.

    Raises:
        KeyError, ValueError, IndexError: there is none.
    """
    from dulwich.objects import Commit  # noqa: PLC0415 - see above
    from dulwich.objectspec import parse_commit  # noqa: PLC0415 - see above

    start = _STEPS.search(ref)
    found = parse_commit(repository, ref[: start.start() if start else None].encode())
    for sign, number in _STEP.findall(start[0] if start else ""):
        # ~2 is the first parent's first parent, ^2 the second parent, and ^0 the commit itself.
        along = [0] * int(number or 1) if sign == "~" else [int(number or 1) - 1] if number != "0" else []
        for parent in along:
            following = repository[found.parents[parent]]
            if not isinstance(following, Commit):
                raise ValueError(f"{ref} leads to no commit")  # noqa: TRY004 - the repository is broken, not the call
            found = following
    return found


def _bytes(repository: Repo, name: ObjectID) -> bytes:
    return repository[name].as_raw_string()


def _top(folder: Path) -> Path:
    for place in (folder, *folder.parents):
        if (place / ".git").exists():
            return place
    raise NoRepository(f"{str(folder)!r} is in no git repository.")


def _repository(top: Path) -> Repo:
    from dulwich.errors import NotGitRepository  # noqa: PLC0415 - see above
    from dulwich.repo import Repo  # noqa: PLC0415 - see above

    control = top / ".git"
    # A file that points elsewhere is believed only if what lies there points back, as git itself has it: otherwise
    # a folder given to us could open any other repository.
    if control.is_symlink() or (control.is_file() and not _is_linked_worktree(control)):
        raise NotFound(f"{str(control)!r} points to a repository that doesn't know of it.")
    try:
        return Repo(str(top))
    except (NotGitRepository, OSError, ValueError):
        raise NotFound(f"{str(control)!r} is no git repository.") from None


def _is_linked_worktree(control: Path) -> bool:
    try:
        target = Path(control.read_text().removeprefix("gitdir:").strip())
        return Path((target / "gitdir").read_text().strip()).resolve() == control.resolve()
    except (OSError, ValueError):
        return False
