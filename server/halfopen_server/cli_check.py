"""`halfopen check`: every file under the given paths that something here checks, a line each."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import click

from halfopen.file_checks import FileChecks
from halfopen.project_files import project_of, walk
from halfopen.registry import capabilities
from halfopen.source import BadInput, Problem
from halfopen.vocabulary import Report, ReportOutcome
from halfopen_server.cli_capability import gravity, status_of
from halfopen_server.exits import BAD_INPUT, INTERRUPTED, complain
from halfopen_server.terminal import paints, watched
from halfopen_server.text import Pen, outcome_line, pen, what_broke


@click.command(
    short_help="Check every spec and .proto file under some paths.",
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
    """Check every spec and .proto file under each PATH and print one line for each: its outcome, its name and why.

    A folder is searched through, but for hidden folders, node_modules, venv, site-packages and links to folders. A
    spec is known by the end of its name, such as .saga.yaml. A .proto file has to compile, and to keep the lint rules
    of the buf.yaml around it if there is one. Nothing is written.
    """
    checks = FileChecks(capabilities())
    files = dict(_found(paths, checks))
    write = pen(colour=paints(sys.stdout))
    worst = 0
    with watched(quiet=quiet) as watch:
        for path, root in files.items():
            try:
                report = checks.check(path, name=str(path), root=root, progress=watch)
            except BadInput as error:
                watch.clear()
                click.echo(f"{write('BAD', fg='red', bold=True)}   {write(path)}: can't be used")
                complain(str(error))
                worst = BAD_INPUT
                continue
            watch.clear()
            if not (quiet and report.outcome is ReportOutcome.PASS):
                click.echo("\n".join(_lines(report, path, write)))
            worst = max(worst, status_of(report, fail_on))
            if watch.cancelled():
                complain("interrupted: what follows was not checked.")
                return INTERRUPTED
    return worst


def _lines(report: Report, path: Path, write: Pen) -> Iterator[str]:
    codes = " ".join(dict.fromkeys(finding.code for finding in report.findings))
    yield outcome_line(report, write, f"{path}: {codes}{': ' if codes else ''}")
    if not report.findings:
        # No code to ask `explain` for: what a compiler or linter objects to is told in its own words.
        yield from (f"      {write(line)}" for line in what_broke(report))


def _found(paths: Iterable[str], checks: FileChecks) -> Iterator[tuple[Path, Path]]:
    """The files under these paths that are checked, each folder's in order; with each the project's folder.

    Raises:
        BadInput: a path isn't there, a file's name doesn't say which spec it is, or there is no spec at all.
    """
    legal = tuple(checks.by_suffix)
    nothing = True
    for given in map(Path, paths):
        if given.is_dir():
            candidates: Iterable[Path] = walk(given)
        elif given.exists():
            if checks.of(given.name) is None:
                raise BadInput([Problem("its name doesn't say which spec it is.", file=str(given), legal=legal)])
            candidates = [given]
        else:
            raise BadInput([Problem("no such file or folder.", file=str(given))])
        root = project_of(given)
        for path in candidates:
            if checks.of(path.name):
                nothing = False
                yield path, root
    if nothing:
        # To find nothing wrong because nothing was looked at is no pass.
        raise BadInput([Problem("no spec is there, by the end of its name.", file=" ".join(paths), legal=legal)])
