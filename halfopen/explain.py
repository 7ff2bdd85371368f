"""What a finding's code means: the page on its rule."""

from __future__ import annotations

from halfopen.data import read_text, root
from halfopen.source import BadInput, Problem

_RULES = "knowledge/rules"


def codes() -> tuple[str, ...]:
    """The codes of all rules, in order."""
    pages = root().joinpath(*_RULES.split("/")).iterdir()
    return tuple(sorted(page.name.removesuffix(".md") for page in pages if page.name.endswith(".md")))


def explain(code: str) -> str:
    """The page on that code as Markdown; upper and lower case are the same.

    Raises:
        BadInput: no rule bears the code; names the codes that there are.
    """
    wanted, known = code.strip().upper(), codes()
    if wanted in known:
        return read_text(f"{_RULES}/{wanted}.md")
    raise BadInput([Problem(f"no rule bears the code {code!r}.", file="code", value=wanted, legal=known)])
