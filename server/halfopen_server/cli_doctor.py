"""`halfopen doctor`: what is installed, which checks can run with it, and how to get the rest."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import click

from halfopen import __version__
from halfopen.data import read_text
from halfopen.source import BadInput
from halfopen_server.databases import NotKept
from halfopen_server.reports import VARIABLE, open_reports
from halfopen_server.terminal import paints
from halfopen_server.text import Pen, pen

_VERSION = re.compile(r"\d+(?:\.\d+)+(?:[-+.]?\w+)*")
# A tool that doesn't tell its version within this many seconds is counted as present, version unknown.
_PATIENCE = 5


@dataclass(frozen=True)
class Tool:
    """One outside thing, as the data file tells of it."""

    name: str
    # The distribution whose presence is looked for, or the program that is asked for its version.
    kind: Literal["python", "program"]
    serves: str
    get: str
    required: bool = False
    arguments: tuple[str, ...] = ("--version",)


def tools() -> tuple[Tool, ...]:
    """All tools that something here makes use of, those that have to be there first."""
    rows = tomllib.loads(read_text("knowledge/tools.toml"))["tool"]
    return tuple(Tool(**{**row, "arguments": tuple(row.get("arguments", ("--version",)))}) for row in rows)


@click.command(
    short_help="Tell what is installed, what is missing and how to get it.",
    epilog="""\b
Exit status:
  0 all that has to be there is, 1 something that has to be there is missing
""",
)
def doctor() -> int:
    """Tell which tools are installed, what each is for, and how to get those that are missing.

    What is marked optional serves one target or gives a second opinion; without it the reports say "skipped", and
    why. Programs are asked for their version and started for nothing else. Also tell where the reports that the MCP
    server makes are kept, and how much they take.
    """
    write = pen(colour=paints(sys.stdout))
    click.echo(f"halfopen {__version__}, Python {platform.python_version()} ({sys.executable})")
    found = {tool: _version_of(tool) for tool in tools()}
    for tool, version in found.items():
        click.echo("\n".join(_lines(tool, version, write)))
    click.echo(write(_reports()))
    lacking = [tool.name for tool, version in found.items() if tool.required and version is None]
    click.echo(_summary(lacking, found.values()))
    return int(bool(lacking))


def _reports() -> str:
    """Where the server keeps reports, as it would be started from here, and how much that is."""
    try:
        usage = open_reports(os.environ.get(VARIABLE), os.environ).usage()
    except (BadInput, NotKept) as error:
        return f"Reports: {error}"
    size = f"{usage.size / 1e6:.1f} of at most {usage.most / 1e6:.1f} MB"
    return f"Reports: {usage.reports} kept ({size}) in {usage.place}"


def _lines(tool: Tool, version: str | None, write: Pen) -> Iterable[str]:
    if version is not None:
        yield f"  {write('ok      ', fg='green')}  {write(tool.name)} {write(version)}: {tool.serves}"
        return
    word = write("missing ", fg="red") if tool.required else write("optional", fg="yellow")
    yield f"  {word}  {write(tool.name)}: {tool.serves}"
    yield f"            get it: {tool.get}"


def _summary(lacking: list[str], versions: Iterable[str | None]) -> str:
    if lacking:
        return f"Missing: {', '.join(lacking)}."
    absent = sum(version is None for version in versions)
    return f"All that has to be there is. Optional and not here: {absent}."


def _version_of(tool: Tool) -> str | None:
    """The tool's version, "(version unknown)", or None if the tool isn't there."""
    if tool.kind == "python":
        try:
            return importlib.metadata.version(tool.name)
        except importlib.metadata.PackageNotFoundError:
            return None
    # Programs of this installation come first, as they do for the checks; it need not be on PATH.
    program = shutil.which(tool.name, path=sysconfig.get_path("scripts")) or shutil.which(tool.name)
    return None if program is None else _told_version(program, tool.arguments)


def _told_version(program: str, arguments: tuple[str, ...]) -> str:
    try:
        told = subprocess.run(  # noqa: S603 - a program of our own list, no shell, no input of a user's
            [program, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE,
            text=True,
            errors="replace",
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return "(version unknown)"
    match = _VERSION.search(told.stdout + told.stderr)
    return match[0] if match else "(version unknown)"
