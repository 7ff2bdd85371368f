"""The commands that serve every capability: its schema, the pages on its rules, and the MCP server."""

from __future__ import annotations

import json
import sys

import click

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


@click.command(short_help="Serve all of this over MCP, on stdin and stdout.")
@click.option(
    "--reports",
    metavar="WHERE",
    envvar="HALFOPEN_REPORTS",
    help="Where reports are kept: postgresql://USER@HOST/DATABASE, for several servers that share them, or memory. "
    "Left out: a file in your data folder. Also read from HALFOPEN_REPORTS, which hides a password from `ps`.",
)
def mcp(reports: str | None) -> None:
    """Serve every capability as a tool over the Model Context Protocol, on standard input and output.

    An agent starts this by itself; in a terminal it waits for a client's first message until the input ends. It
    reads and writes inside the folders that the client offers as roots, and nowhere else but where reports are kept.
    """
    from halfopen_server.mcp import serve_stdio  # noqa: PLC0415 - a second of imports that only a server needs

    serve_stdio(reports)
