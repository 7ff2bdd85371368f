"""The command line: one command per registered capability, and a few that serve them all.

Commands are imported when they are called for, so that `halfopen --version` costs next to nothing and no
command pays for another's libraries.
"""

from __future__ import annotations

import gc
import importlib
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import click

from halfopen import __version__
from halfopen.early import start_early
from halfopen_server.exits import BAD_INPUT, INTERRUPTED, complain

BROKEN_PIPE = 141
_YOUNG = 100_000  # objects made and not yet gone, from which on garbage is looked for
_SWITCH = 0.0005  # seconds

# The commands that aren't capabilities: name to the module and attribute that hold them.
_OWN: Mapping[str, str] = {
    "check": "halfopen_server.cli_check:check",
    "explain": "halfopen_server.cli_tools:explain",
    "knowledge": "halfopen_server.cli_knowledge:knowledge",
    "schema": "halfopen_server.cli_tools:schema",
    "doctor": "halfopen_server.cli_doctor:doctor",
    "mcp": "halfopen_server.cli_tools:mcp",
}

_HELP = """Design distributed systems, and let something that can say no check the design.

A command reads a spec (YAML or JSON), decides what the spec leaves open, has a model checker, a compiler or
another tool try to break the result, and reports what was found. With --out it also writes the files of the
answer: a design document, contracts, code and its tests.

The same spec always gives the same bytes. No command needs a network, a key or a language model, and none runs
anything of yours.
"""

_STATUS = """\b
Exit status:
  0    the design passed, or passed with warnings
  1    an error was found, a check failed or a property is violated
  2    the input or the command line is wrong; nothing was written
  130  interrupted by Ctrl-C; what was known by then was printed
  141  whoever read the output went away

\b
Environment:
  NO_COLOR  any value: no colours, even on a terminal
"""


class LazyGroup(click.Group):
    """The commands by name, each imported on first use; and one way to say that the input is wrong."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Capabilities in the order of the registry, then the commands that serve them all."""
        del ctx
        from halfopen.registry import MODULES  # noqa: PLC0415 - brings pydantic, which --version needs not

        return [*MODULES, *_OWN]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name; None if there is none."""
        if cmd_name in _OWN:
            module, _, attribute = _OWN[cmd_name].partition(":")
            command: click.Command = getattr(importlib.import_module(module), attribute)
            return command
        if cmd_name not in self.list_commands(ctx):
            return None
        _runs_once()
        from halfopen.registry import capability  # noqa: PLC0415 - as above
        from halfopen_server.cli_capability import command_of  # noqa: PLC0415 - as above

        return command_of(capability(cmd_name))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does it, but an unknown name is told with the known ones."""
        name, *more = args
        if more and (more[0] == "-" or not more[0].startswith("-")):
            # Behind a command stands what it is to answer to: what that takes may start now.
            start_early(name)
        if not name.startswith("-") and name not in (legal := self.list_commands(ctx)):
            import difflib  # noqa: PLC0415 - only for who mistypes

            near = difflib.get_close_matches(name[:100], legal, n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            ctx.fail(f"no command is called {name!r}.{hint} Legal: {', '.join(legal)}.")
        return super().resolve_command(ctx, args)

    def main(  # type: ignore[override]
        self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any
    ) -> NoReturn:
        """Run, and end the process with the status that DESIGN promises."""
        extra["standalone_mode"] = False
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):
                # A terminal that can't show a character shows its number, instead of a traceback.
                stream.reconfigure(errors="backslashreplace")
        sys.exit(self._status(args, prog_name or "halfopen", extra))

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; that whoever read the output has gone (`| head`) is no fault to tell of."""
        try:
            status = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            # Python would complain of what it still holds at its end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return BROKEN_PIPE
        return status

    def _status(self, args: Sequence[str] | None, prog_name: str, extra: Mapping[str, Any]) -> int:
        try:
            return super().main(args, prog_name, **extra) or 0
        except click.exceptions.NoArgsIsHelpError as error:
            click.echo(error.format_message(), err=True)
        except click.ClickException as error:
            complain(error.format_message())
            if isinstance(error, click.UsageError) and error.ctx:
                click.echo(f"Try: {error.ctx.command_path} --help", err=True)
        except (click.Abort, KeyboardInterrupt):
            complain("interrupted.")
            return INTERRUPTED
        except Exception as error:
            if not _is_bad_input(error):
                raise
            complain(str(error))
        return BAD_INPUT


def _runs_once() -> None:
    """Set the interpreter up for a process that reads a spec, answers and ends."""
    # Nearly all that is made is kept to the end, and to look through it for garbage again and again is a tenth of a
    # run. What a long search leaves behind is still collected.
    gc.set_threshold(_YOUNG)
    # Who wakes up because a program has ended goes on at once, and not after 5 ms of rendering.
    sys.setswitchinterval(_SWITCH)
    # Nothing here is a plugin's, and to look for them pydantic reads what every installed package offers.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")


def _is_bad_input(error: Exception) -> bool:
    # If the module was never imported, nobody can have raised it.
    source = sys.modules.get("halfopen.source")
    return source is not None and isinstance(error, source.BadInput)


@click.group(
    "halfopen",
    cls=LazyGroup,
    help=_HELP,
    epilog=_STATUS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.version_option(__version__, "-V", "--version", message="halfopen %(version)s")
def cli() -> None:
    """Only the group; its help is above."""


def main() -> NoReturn:
    """The console script."""
    cli.main()
