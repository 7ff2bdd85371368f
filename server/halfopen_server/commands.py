"""The slash commands and the agent, read from the very files that Claude Code reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from halfopen.data import read_text, root

FOLDER = "prompts/commands"
AGENT = "prompts/agents/distributed-systems-engineer.md"
_FENCE = "---\n"
# Where Claude Code puts what the user typed behind the command.
_PLACE = "$ARGUMENTS"


@dataclass(frozen=True)
class Command:
    """One command: what its front matter says of it, and its text."""

    name: str
    description: str
    argument_hint: str
    allowed_tools: tuple[str, ...]
    text: str

    def filled(self, request: str) -> str:
        """The text with the user's words in it."""
        return self.text.replace(_PLACE, request)


def commands() -> tuple[Command, ...]:
    """All commands, by name."""
    files = sorted(file.name for file in root().joinpath(FOLDER).iterdir() if file.name.endswith(".md"))
    return tuple(parse_command(read_text(f"{FOLDER}/{name}")) for name in files)


def agent() -> Command:
    """The engineer himself. Claude Code hands him a request; elsewhere it stands below his text."""
    front_matter_and_text = read_text(AGENT)
    return parse_command(f"{front_matter_and_text.rstrip()}\n\n## The request\n\n{_PLACE}\n")


def parse_command(markdown: str) -> Command:
    """A command from its file's text.

    Raises:
        ValueError: it has no front matter, or front matter without a name or description.
    """
    from ruamel.yaml import YAML  # noqa: PLC0415 - 40 ms that only a server with prompts needs

    if not markdown.startswith(_FENCE):
        raise ValueError("a command starts with front matter between two lines of ---")
    front, _, text = markdown.removeprefix(_FENCE).partition(f"\n{_FENCE}")
    found: Any = YAML(typ="safe", pure=True).load(front)
    if not isinstance(found, dict) or not text.strip():
        raise ValueError("a command is front matter (a mapping between two lines of ---) and a text")
    missing = [key for key in ("name", "description") if not found.get(key)]
    if missing:
        raise ValueError(f"the front matter of a command lacks {' and '.join(missing)}")
    tools = found.get("allowed-tools") or found.get("tools") or []
    return Command(
        name=str(found["name"]),
        description=str(found["description"]),
        argument_hint=str(found.get("argument-hint", "")),
        allowed_tools=tuple(tools if isinstance(tools, list) else tools.replace(",", " ").split()),
        text=text.strip() + "\n",
    )
