"""The command of a capability: made from what the registry says of it, whatever it is."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin

import click

from halfopen.run import check_folder, run
from halfopen.source import MAX_BYTES, BadInput, Problem, Source, parse_bytes, read_source, validate
from halfopen.vocabulary import Report, ReportOutcome
from halfopen.writing import WriteRefused, write
from halfopen_server.exits import BAD_INPUT, INTERRUPTED, complain
from halfopen_server.terminal import paints, watched
from halfopen_server.text import outcome_line, pen, report_text

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

    from halfopen.registry import Capability, FolderCheck, Options
    from halfopen.writing import WriteResult

_STDIN = "-"
_HOW = """
SPEC is a YAML or JSON file, or - for standard input. `halfopen schema {name}` prints the JSON Schema of its keys.

Without --out nothing is written. With it, every file of the answer is written, or none: a file that was changed
by hand since is refused by name, unless --overwrite is given.
"""
_EPILOG = """\b
Examples:
  halfopen {name} {example}
  halfopen {name} {example} --out design/
  halfopen {name} - --format json < {example} | jq .outcome
{more}
\b
Exit status:
  0 pass or warn, 1 fail (--fail-on warning: 1 on warn too), 2 bad input or usage, 130 interrupted
"""

# Decorators rather than objects: a click option belongs to one command.
out_folder = click.option(
    "--out", metavar="DIR", help="Write the files of the answer into this folder; it is made if it isn't there."
)
overwriting = click.option(
    "--overwrite", is_flag=True, help="Replace files in DIR even if they were changed by hand, or aren't ours."
)
printing = click.option(
    "--format",
    "style",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How to print the report: text for people, or one JSON document and nothing else.",
)
gravity = click.option(
    "--fail-on",
    type=click.Choice(["error", "warning"]),
    default="error",
    show_default=True,
    help="The gravity from which on the exit status is 1.",
)
silence = click.option("-q", "--quiet", is_flag=True, help="Print the outcome in one line, and no progress.")


def command_of(capability: Capability) -> click.Command:
    """The command that offers this capability, with one flag for each of its options."""
    example = f"my{capability.file_suffixes[0]}" if capability.file_suffixes else "spec.yaml"
    more = f"  halfopen {capability.name} --check DIR --against main\n" if capability.folder_check else ""

    @out_folder
    @overwriting
    @printing
    @gravity
    @silence
    def run_it(  # noqa: PLR0913 - its flags
        spec: str | None,
        *,
        out: str | None,
        style: str,
        overwrite: bool,
        fail_on: str,
        quiet: bool,
        check: str | None = None,
        against: str | None = None,
        **given: Any,
    ) -> int:
        if overwrite and out is None:
            raise click.UsageError("--overwrite needs --out: without it nothing is written.")
        options = parse_options(capability.options, given)
        with watched(quiet=quiet) as watch:
            if spec is None and check is not None and capability.folder_check is not None:
                _without(check, out=out, **given)
                folder, source = _caller(check)
                report = check_folder(capability.folder_check, folder, against, source, watch)
            else:
                report = run(capability, _spec_alone(spec, check, against), options, watch)
        if watch.cancelled():
            complain(f"interrupted: what follows is what was known by then.{' Nothing was written.' if out else ''}")
            show(report, None, style, quiet=quiet)
            return INTERRUPTED
        if out is None:
            show(report, None, style, quiet=quiet)
            return status_of(report, fail_on)
        try:
            written = write(report.artifacts, Path(out), overwrite=overwrite)
        except WriteRefused as refused:
            # The run may have taken long: what it found is shown even if it can't be kept.
            show(report, None, style, quiet=quiet)
            complain(str(refused))
            return BAD_INPUT
        show(report, written, style, quiet=quiet)
        return status_of(report, fail_on)

    made = click.command(
        capability.name,
        short_help=f"{capability.title.rstrip('.')}.",
        help=f"{capability.summary}\n{_HOW.format(name=capability.name)}",
        epilog=_EPILOG.format(name=capability.name, example=example, more=more),
    )(run_it)
    argument = click.Argument(["spec"], metavar="SPEC", required=capability.folder_check is None)
    made.params[:0] = [argument, *_checking(capability.folder_check), *options_of(capability.options)]
    return made


def _checking(offered: FolderCheck | None) -> Iterator[click.Option]:
    if offered is not None:
        yield click.Option(["--check"], metavar="DIR", help=offered.folder)
        yield click.Option(["--against"], metavar="OTHER", help=offered.other)


def _spec_alone(spec: str | None, check: str | None, against: str | None) -> Source:
    """The spec, where one is given and nothing that goes without it."""
    if spec is None:
        raise click.UsageError("Missing argument 'SPEC'.")
    if check is not None:
        raise click.UsageError("--check takes the place of SPEC: give one or the other.")
    if against is not None:
        raise click.UsageError("--against needs --check; a spec says what it is compared with itself.")
    return read_spec(spec)


def _without(check: str, **given: Any) -> None:
    if names := [f"--{name.replace('_', '-')}" for name, value in given.items() if value is not None]:
        raise click.UsageError(f"--check {check} only looks: {', '.join(names)} goes with a SPEC.")


def _caller(folder: str) -> tuple[str, Source]:
    """The folder without `..`, and where a user may point to from a command line: the current folder, and that one."""
    try:
        named = Path(folder).resolve()
    except (OSError, ValueError):  # ValueError: a NUL in the path
        named = Path.cwd()
    climbs = ".." in Path(folder).parts
    return str(named) if climbs else folder, Source({}, folders=(Path.cwd(), named))


def options_of(model: type[Options]) -> Iterator[click.Option]:
    """One flag for each field of the options; a flag that isn't given leaves the model's default."""
    for name, field in model.model_fields.items():
        flag = f"--{name.replace('_', '-')}"
        kind = _kind(field)
        default = "" if field.default is None else f"  [default: {_spelled(field.default)}]"
        told = f"{field.description or ''}{default}"
        if kind is bool:
            names = flag if field.default is False else f"{flag}/--no-{flag[2:]}"
            yield click.Option([names, name], is_flag=True, default=None, help=told)
        else:
            yield click.Option([flag, name], type=kind, default=None, help=told)


def _kind(field: FieldInfo) -> Any:
    """The field's type as click knows it: a choice for a Literal, else bool, int, float or str."""
    annotation = field.annotation
    if get_origin(annotation) in {Union, types.UnionType}:
        annotation = next(part for part in get_args(annotation) if part is not type(None))
    return click.Choice(get_args(annotation)) if get_origin(annotation) is Literal else annotation


def _spelled(default: Any) -> str:
    return str(default).lower() if isinstance(default, bool) else str(default)


def parse_options(model: type[Options], given: dict[str, Any]) -> Options:
    """The options as their model, from what was given on the command line.

    Raises:
        BadInput: a value is out of its range; names the flag.
    """
    try:
        return validate(model, Source({name: value for name, value in given.items() if value is not None}))
    except BadInput as error:
        problems = [
            Problem(problem.message, file=f"--{problem.path.replace('_', '-')}", legal=problem.legal)
            for problem in error.problems
        ]
        raise BadInput(problems) from None


def read_spec(spec: str) -> Source:
    """The spec of that name; `-` is standard input.

    Raises:
        BadInput: it can't be read, or isn't plain YAML or JSON.
    """
    if spec == _STDIN:
        found = parse_bytes(sys.stdin.buffer.read(MAX_BYTES + 1), file="<stdin>")
        return replace(found, folders=(Path.cwd().resolve(),))
    return read_source(Path(spec))


def show(report: Report, written: WriteResult | None, style: str, *, quiet: bool) -> None:
    """Print the report on standard output."""
    if style == "json":
        # JSON is UTF-8 whatever the terminal speaks.
        sys.stdout.buffer.write(report.model_dump_json(indent=2).encode() + b"\n")
        return
    write_with = pen(colour=paints(sys.stdout))
    click.echo(outcome_line(report, write_with) if quiet else report_text(report, written, write_with))


def status_of(report: Report, fail_on: str) -> int:
    """The exit status: 1 if the outcome is as grave as what the caller wants to fail on."""
    failing = {ReportOutcome.FAIL} if fail_on == "error" else {ReportOutcome.FAIL, ReportOutcome.WARN}
    return int(report.outcome in failing)
