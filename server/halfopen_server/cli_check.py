"""`halfopen check`: every spec under the given paths, a line each."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import click

from halfopen.registry import Capability, capabilities
from halfopen.run import run
from halfopen.source import BadInput, Problem, read_source
from halfopen.vocabulary import Report, ReportOutcome
from halfopen_server.cli_capability import gravity, status_of
from halfopen_server.exits import BAD_INPUT, INTERRUPTED, complain
from halfopen_server.terminal import paints, watched
from halfopen_server.text import Pen, outcome_line, pen

# What other people's programs put into a project; hidden folders are skipped besides.
_SKIPPED = frozenset({"node_modules", "venv", "site-packages", "__pycache__"})


@click.command(
    short_help="Check every spec under some paths.",
    epilog="""\b
Examples:
  halfopen check .
  halfopen check designs/ other/checkout.saga.yaml --fail-on warning

\b
Exit status:
  0 all pass or warn, 1 one fails (--fail-on warning: or warns), 2 one is no spec or none was found, 130 interrupted
""",
)
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@gravity
@click.option("-q", "--quiet", is_flag=True, help="Print nothing for a spec that passes, and no progress.")
def check(paths: Sequence[str], *, quiet: bool, fail_on: str) -> int:
    """Check every spec under each PATH and print one line for each: its outcome, its name and why.

    A folder is searched through, but for hidden folders, node_modules, venv, site-packages and links to folders. A
    spec is known by the end of its name, such as .saga.yaml. Nothing is written.
    """
    by_suffix = {suffix: found for found in capabilities() for suffix in found.file_suffixes}
    specs = dict(_found(paths, by_suffix))
    write = pen(colour=paints(sys.stdout))
    worst = 0
    with watched(quiet=quiet) as watch:
        for path, capability in specs.items():
            try:
                report = run(capability, read_source(path), capability.options(), watch)
            except BadInput as error:
                watch.clear()
                click.echo(f"{write('BAD', fg='red', bold=True)}   {write(path)}: can't be used")
                complain(str(error))
                worst = BAD_INPUT
                continue
            watch.clear()
            if not (quiet and report.outcome is ReportOutcome.PASS):
                click.echo(_line(report, path, write))
            worst = max(worst, status_of(report, fail_on))
            if watch.cancelled():
                complain("interrupted: what follows was not checked.")
                return INTERRUPTED
    return worst


def _line(report: Report, path: Path, write: Pen) -> str:
    codes = " ".join(dict.fromkeys(finding.code for finding in report.findings))
    return outcome_line(report, write, f"{path}: {codes}{': ' if codes else ''}")


def _found(paths: Iterable[str], by_suffix: Mapping[str, Capability]) -> Iterator[tuple[Path, Capability]]:
    """The specs under these paths, each folder's in order.

    Raises:
        BadInput: a path isn't there, a file's name doesn't say which spec it is, or there is no spec at all.
    """
    legal = tuple(by_suffix)
    nothing = True
    for given in map(Path, paths):
        if given.is_dir():
            candidates: Iterable[Path] = _walk(given)
        elif given.exists():
            if _by_name(given, by_suffix) is None:
                raise BadInput([Problem("its name doesn't say which spec it is.", file=str(given), legal=legal)])
            candidates = [given]
        else:
            raise BadInput([Problem("no such file or folder.", file=str(given))])
        for path in candidates:
            if capability := _by_name(path, by_suffix):
                nothing = False
                yield path, capability
    if nothing:
        # To find nothing wrong because nothing was looked at is no pass.
        raise BadInput([Problem("no spec is there, by the end of its name.", file=" ".join(paths), legal=legal)])


def _by_name(path: Path, by_suffix: Mapping[str, Capability]) -> Capability | None:
    return next((found for suffix, found in by_suffix.items() if path.name.endswith(suffix)), None)


def _walk(folder: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in _SKIPPED and not name.startswith("."))
        yield from (Path(place, name) for name in sorted(files))
