"""The command that looks up what the engineer knows."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from halfopen.knowledge_pages import KINDS, page, results
from halfopen.knowledge_search import search
from halfopen_server.terminal import visible


@click.command(
    short_help="Look up laws, mantras, patterns, figures and rules.",
    epilog="""\b
Examples:
  halfopen knowledge how long should a timeout be
  halfopen knowledge patterns/circuit-breaker
  halfopen knowledge laws/7
""",
)
@click.argument("query", nargs=-1, required=True)
@click.option("--limit", type=click.IntRange(1, 20), default=5, show_default=True, help="The most entries to print.")
@click.option(
    "--format", "format_", type=click.Choice(["text", "json"]), default="text", show_default=True, help="What to print."
)
def knowledge(query: tuple[str, ...], limit: int, format_: str) -> None:
    """Print what is known of QUERY, best first: in its own words, with what a careful engineer adds to it today.

    QUERY is words or a question. The address of one entry, such as patterns/timeout or rules/SAG06, prints its page.
    """
    asked = " ".join(query)
    kind, slash, name = asked.removeprefix("halfopen://").partition("/")
    if slash and kind in KINDS:
        text = page(kind, name)
        click.echo(json.dumps({"page": text}, ensure_ascii=False) if format_ == "json" else text.rstrip("\n"))
        return
    hits = search(asked, limit)
    if format_ == "json":
        click.echo(json.dumps([{"uri": hit.uri, **asdict(hit)} for hit in hits], ensure_ascii=False, default=_plain))
        return
    click.echo("\n".join(map(visible, results(asked, hits).rstrip("\n").split("\n"))))


def _plain(value: object) -> object:
    return value.model_dump(mode="json") if hasattr(value, "model_dump") else str(value)
