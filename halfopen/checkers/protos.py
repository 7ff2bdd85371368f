"""A `.proto` file of somebody's project: does it compile, and does it keep the project's own lint rules?"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from halfopen.checkers import programs
from halfopen.checkers.proto_imports import Closure, Project, TooMuch, read
from halfopen.source import BadInput, Problem, read_source
from halfopen.vocabulary import Check, Report, Status, judge

COMPILES = "compiles"
LINTED = "keeps the lint rules of its buf.yaml"
LINT_SECONDS = 10.0
# What buf would fetch, or run, for a project that has it.
_FROM_ELSEWHERE = ("deps", "plugins", "policies")


@dataclass(frozen=True)
class _Buf:
    """What the project says to buf: where it is started, the folders of its modules, and what it needs besides."""

    folder: Path
    modules: tuple[Path, ...]
    needs: tuple[str, ...]


def check(path: Path, *, name: str, root: Path) -> Report:
    """What is wrong with that file.

    Args:
        path: The file, a real path inside `root`.
        name: What messages call it.
        root: The project's folder; nothing outside of it is read.

    Raises:
        BadInput: it can't be read, is too large, or lies elsewhere.
    """
    text = read(path, root)
    if text is None:
        raise BadInput(
            [Problem("can't be read: it is too large, no plain file, or leads out of the project.", file=name)]
        )
    buf = _governing(path, root)
    compiled = _compiled(path, text, name, _project(root, buf))
    checks = [compiled]
    # Of a file that doesn't compile a linter has nothing to add.
    if buf is not None and compiled.status is not Status.FAILED:
        checks.append(_linted(path, name, buf))
    return Report(summary=_summary(checks), outcome=judge((), checks, ()), checks=tuple(checks))


def _project(root: Path, buf: _Buf | None) -> Project:
    return Project(root) if buf is None else Project(root, buf.modules, has_dependencies="deps" in buf.needs)


def _summary(checks: list[Check]) -> str:
    failed = [check for check in checks if check.status is Status.FAILED]
    if not failed:
        skipped = [check.detail for check in checks if check.status is Status.SKIPPED]
        return ("; ".join(skipped).rstrip(".") or " and ".join(check.name for check in checks)) + "."
    count = len(failed[0].detail.splitlines())
    what = "does not compile" if failed[0].name == COMPILES else "compiles, but breaks lint rules of its buf.yaml"
    return f"{what}: {count} {'place' if count == 1 else 'places'}."


# -- the compiler ---------------------------------------------------------------------------------------------


def _compiled(path: Path, text: str, name: str, project: Project) -> Check:
    known = programs.protoc_version()
    if known is None:
        return _skipped(COMPILES, programs.PROTOC, "none", programs.NO_PROTOC)
    try:
        closure = project.closure(path, text)
    except TooMuch as error:
        return _skipped(COMPILES, programs.PROTOC, known, f"not compiled: it imports {error}")
    named = {own: _named(own, closure, name, project.root) for own in closure.texts}
    broken = list(_broken_imports(closure, project, named))
    found = list(programs.objections("", closure.texts, {closure.file}))
    linked = any(_is_about_imports(each) for each in found)
    if closure.missing and linked and not broken:
        # Whatever else it objects to may come of that.
        elsewhere = ", ".join(dict.fromkeys(each.name for _, each in closure.missing))
        detail = f"syntax only: it imports {elsewhere} from outside this project, so names and types were not looked at"
        return _skipped(COMPILES, programs.PROTOC, known, detail)
    told = [] if broken and linked else [each for each in found if not _is_about_imports(each)] or found
    lines = [*broken, *(str(replace(each, file=named.get(each.file, each.file))) for each in told)]
    return programs.answer(COMPILES, programs.PROTOC, known, "\n".join(lines) or None, f"{len(closure.texts)} files")


def _broken_imports(closure: Closure, project: Project, named: dict[str, str]) -> Iterator[str]:
    for importer, missing in closure.missing:
        ours, near = project.meant(missing, closure)
        if ours:
            hint = f" Did you mean {near}?" if near else ""
            yield f'{named[importer]}:{missing.line}: import "{missing.name}" leads to no file.{hint}'


def _is_about_imports(found: programs.Objection) -> bool:
    return found.line == 0 or found.message.endswith("was not found or had errors.")


def _named(own: str, closure: Closure, name: str, root: Path) -> str:
    """What messages call one of the texts: the file as the caller did, others by their place in the project."""
    place = closure.places[own]
    if own == closure.file:
        return name
    return place.relative_to(root).as_posix() if place.is_relative_to(root) else own


# -- buf ------------------------------------------------------------------------------------------------------


def _linted(path: Path, name: str, buf: _Buf) -> Check:
    executable = programs.find(programs.BUF)
    if executable is None:
        return _skipped(LINTED, "buf", "none", f"buf is not installed: {programs.BUF.how_to_get}.")
    known = programs.version_of(programs.BUF)
    if buf.needs:
        needs = " and ".join(buf.needs)
        return _skipped(LINTED, "buf", known, f"not linted: buf.yaml names {needs}, which would be fetched or run")
    own = PurePosixPath(path.relative_to(buf.folder).as_posix())
    arguments = ("lint", "--error-format=json", f"--path={own}")
    ran = programs.run(executable, arguments, folder=buf.folder, timeout=LINT_SECONDS)
    rows = list(_rows(ran.stdout))
    broken = [f"{row.get('path')}:{row.get('start_line')}: {row.get('message')}" for row in rows if _is_broken(row)]
    rows = [row for row in rows if row.get("path") == str(own) and not _is_broken(row)]
    if ran.status != 0 and not rows:
        why = broken or ran.stderr.strip().splitlines() or ["buf does not say why"]
        return _skipped(LINTED, "buf", known, f"not linted: {why[0][:200]}")
    lines = [f"{name}:{row.get('start_line', 1)}: {row.get('message', '')} ({row.get('type', '')})" for row in rows]
    return programs.answer(LINTED, "buf", known, "\n".join(lines) or None, "1 file")


def _is_broken(row: dict[str, Any]) -> bool:
    """Whether buf could not even read the module for that."""
    return row.get("type") == "COMPILE"


def _rows(text: str) -> Iterator[dict[str, Any]]:
    for line in text.splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue  # buf mixes no prose into its rows, but a warning is none
        if isinstance(row, dict):
            yield row


def _governing(path: Path, root: Path) -> _Buf | None:
    """The configuration that holds for the file; None if none does."""
    found = _nearest(path, root)
    return found if found and any(path.is_relative_to(folder) for folder in found.modules) else None


def _nearest(path: Path, root: Path) -> _Buf | None:
    """What the nearest buf.yaml says (v2, or v1 with the buf.work.yaml around it)."""
    around = [folder for folder in path.parents if folder.is_relative_to(root)]
    own = next((folder for folder in around if _data(folder / "buf.yaml", root) is not None), None)
    if own is None:
        return None
    said = _data(own / "buf.yaml", root) or {}
    if said.get("version") == "v2":
        listed = [own / _path_of(module) for module in _list(said.get("modules"))]
        return _Buf(own, _own_first(listed or [own], path), _needs(said))
    work = next((folder for folder in around if _data(folder / "buf.work.yaml", root) is not None), None)
    if work is None:
        return _Buf(own, (own,), _needs(said))
    named = (_data(work / "buf.work.yaml", root) or {}).get("directories")
    folders = [work / each for each in _list(named) if isinstance(each, str)]
    needs = [need for folder in [*folders, own] for need in _needs(_data(folder / "buf.yaml", root) or {})]
    return _Buf(work, _own_first([*folders, own], path), tuple(dict.fromkeys(needs)))


def _own_first(folders: list[Path], path: Path) -> tuple[Path, ...]:
    clean = [Path(folder) for folder in dict.fromkeys(folders) if ".." not in folder.parts]
    return tuple(sorted(clean, key=lambda folder: not path.is_relative_to(folder)))


def _path_of(module: Any) -> str:
    path = module.get("path") if isinstance(module, dict) else None
    return path if isinstance(path, str) else "."


def _needs(said: dict[str, Any]) -> tuple[str, ...]:
    return tuple(key for key in _FROM_ELSEWHERE if said.get(key))


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _data(path: Path, root: Path) -> dict[str, Any] | None:
    """What a configuration file says; None where there is none that could be read."""
    if read(path, root) is None:
        return None
    try:
        data = read_source(path).data
    except BadInput:
        return None
    return data if isinstance(data, dict) else None


def _skipped(name: str, tool: str, known: str, detail: str) -> Check:
    return Check(name=name, tool=tool, version=known, status=Status.SKIPPED, detail=detail)
