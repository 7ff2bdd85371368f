"""The commands that serve every capability: its schema, the pages on its rules, and the MCP server."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from halfopen.registry import MODULES, capability
from halfopen.source import BadInput, Problem

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


@click.command(
    short_help="Print the JSON Schema of a spec.",
    epilog="""\b
Example:
  halfopen schema saga > saga.schema.json
""",
)
@click.argument("name", metavar="NAME")
def schema(name: str) -> None:
    """Print the JSON Schema (draft 2020-12) of the spec that the command NAME reads.

    Editors complete and check a spec by it. In VS Code with the YAML extension, for one, a spec whose first line is
    `# yaml-language-server: $schema=saga.schema.json` is checked as it is typed.
    """
    if name not in MODULES:
        raise BadInput([Problem("no spec is called that.", file=name, value=name, legal=tuple(MODULES))])
    found = capability(name).spec.model_json_schema()
    document = {"$schema": _DIALECT, **found}
    sys.stdout.buffer.write(json.dumps(document, indent=2, ensure_ascii=False).encode() + b"\n")


@click.command(
    short_help="Print what a finding's code means.",
    epilog="""\b
Example:
  halfopen explain SAG06
""",
)
@click.argument("code", metavar="CODE")
def explain(code: str) -> None:
    """Print the page on CODE: what the rule detects, why it hurts, an example, and how to mend it.

    CODE is what a finding bears, such as SAG06; upper and lower case are the same.
    """
    from halfopen.explain import explain as page  # noqa: PLC0415 - reads files that no other command here does

    click.echo(page(code).rstrip("\n"))


@click.command(
    short_help="Serve all of this over MCP, on stdin and stdout or over HTTP.",
    epilog="""\b
Examples:
  halfopen mcp
  halfopen mcp --http 8000
  halfopen mcp --http 0.0.0.0:8000 --token-file tokens --allowed-host designs.example.com --root /srv/designs

\b
Environment:
  HALFOPEN_TOKEN, HALFOPEN_TOKENS  bearer tokens, several between spaces, as --token-file holds them
  HALFOPEN_REPORTS                 where reports are kept, as --reports

\b
Over HTTP:
  /mcp           the endpoint: streamable HTTP, stateless
  /health/live   200 as long as the process serves
  /health/ready  200 if calls can be answered; 503 if not, and while shutting down
""",
)
@click.option("--http", metavar="HOST:PORT", help="Serve over HTTP there; a port alone means this machine only.")
@click.option(
    "--token-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Ask for one of the tokens in this file, one a line.",
)
@click.option(
    "--root",
    "roots",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="DIR",
    help="Let clients have files read and written in this folder. Without it: none.",
)
@click.option("--allowed-host", "hosts", multiple=True, metavar="HOST", help="Accept this Host header, too.")
@click.option("--allowed-origin", "origins", multiple=True, metavar="ORIGIN", help="Accept calls from this web origin.")
@click.option(
    "--max-calls", "most_calls", type=click.IntRange(1), default=256, show_default=True, help="Answered at once."
)
@click.option(
    "--grace",
    type=click.FloatRange(0),
    default=25,
    show_default=True,
    metavar="SECONDS",
    help="What running calls have to end in when the server is told to stop.",
)
@click.option(
    "--reports",
    metavar="WHERE",
    envvar="HALFOPEN_REPORTS",
    help="Where reports are kept: postgresql://USER@HOST/DATABASE, for several servers that share them, or memory. "
    "Left out: a file in your data folder. Also read from HALFOPEN_REPORTS, which hides a password from `ps`.",
)
@click.option("--stream", is_flag=True, help="Report progress in event streams, instead of answering in JSON alone.")
@click.pass_context
def mcp(
    context: click.Context, /, http: str | None, token_file: Path | None, reports: str | None, **settings: Any
) -> None:
    """Serve every capability as a tool over the Model Context Protocol.

    On standard input and output, an agent starts this by itself; in a terminal it waits for a client's first message
    until the input ends. It reads and writes inside the folders that the client offers as roots, and nowhere else but
    where reports are kept.

    Over HTTP it serves until SIGTERM or SIGINT. It reads and writes inside the folders given as --root, and nowhere
    else but there; where other machines can reach it, it starts only if it has a token to ask for.
    """
    if http is None:
        if given := [each.opts[0] for each in context.command.params if _was_given(context, each)]:
            raise click.UsageError(f"{', '.join(given)}: this is for --http HOST:PORT, which is missing.")
        from halfopen_server.mcp import serve_stdio  # noqa: PLC0415 - a second of imports that only a server needs

        serve_stdio(reports)
        return
    from halfopen_server.http_address import parse_address, resolve  # noqa: PLC0415 - as above

    where = resolve(parse_address(http))
    from halfopen_server.http_auth import read_tokens  # noqa: PLC0415 - as above
    from halfopen_server.mcp_http import HttpSettings, serve_http  # noqa: PLC0415 - as above

    serve_http(where, HttpSettings(tokens=read_tokens(token_file, os.environ), reports=reports, **settings))


def _was_given(context: click.Context, parameter: click.Parameter) -> bool:
    # Where reports are kept matters to both.
    named = context.get_parameter_source(parameter.name or "") is ParameterSource.COMMANDLINE
    return named and parameter.name != "reports"
