"""How a command ends when it can't end well: the statuses, and the one way to say why."""

from __future__ import annotations

import click

BAD_INPUT = 2
INTERRUPTED = 130


def complain(message: str) -> None:
    """Say on stderr what is wrong, each problem in a line of its own that starts with the program's name."""
    from halfopen_server.terminal import visible  # noqa: PLC0415 - most runs have nothing to complain about

    for line in message.splitlines():
        click.echo(f"halfopen: {visible(line)}", err=True)
