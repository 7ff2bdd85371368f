"""A conversation of the real CLI with a scripted model: what the model says, and what it was sent."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from tests.claude_code.conftest import Claude
from tests.claude_code.scripted_api import Block, Script, ScriptedApi

Call = tuple[str, dict[str, Any]]


def results(request: dict[str, Any]) -> list[Block]:
    """The results of tools that a request carries, in order."""
    messages = [message["content"] for message in request["messages"] if isinstance(message["content"], list)]
    return [block for content in messages for block in content if block["type"] == "tool_result"]


def text_of(content: Any) -> str:
    return content if isinstance(content, str) else "".join(block.get("text", "") for block in content)


def model(*calls: Call | Callable[[list[Block]], Call]) -> Script:
    """A model that makes one call after the other, each of which may depend on the results so far, and ends."""

    def answer(request: dict[str, Any]) -> list[Block]:
        seen = results(request)
        # Requests beside the conversation offer no tools.
        if not request.get("tools") or len(seen) == len(calls):
            return [{"type": "text", "text": "done"}]
        call = calls[len(seen)]
        name, arguments = call(seen) if callable(call) else call
        return [{"type": "tool_use", "id": f"toolu_{len(seen)}", "name": name, "input": arguments}]

    return answer


def once_there(tools: Sequence[str], *calls: Call | Callable[[list[Block]], Call]) -> Script:
    """A model that looks for the tools until the server of the first is up, and then makes the calls.

    The CLI waits for a server only so long, and the first start of one may take longer on a busy machine.
    """
    search: Call = ("ToolSearch", {"query": f"select:{','.join(tools)}", "max_results": len(tools)})

    def found(result: Block) -> bool:
        content = result["content"]
        return isinstance(content, list) and any(block.get("tool_name") == tools[0] for block in content)

    def answer(request: dict[str, Any]) -> list[Block]:
        seen = results(request)
        there = next((number for number, result in enumerate(seen) if found(result)), None)
        if there is None and seen:
            time.sleep(0.5)
        tries = len(seen) if there is None else there
        return model(*[search] * (tries + 1), *calls)(request)

    return answer


def ask(claude: Claude, api: ScriptedApi, prompt: str, *flags: str, **environment: str) -> list[dict[str, Any]]:
    """The requests of the conversation that the prompt starts."""
    done = claude.run("-p", prompt, *flags, ANTHROPIC_BASE_URL=api.url, ANTHROPIC_API_KEY="no-key", **environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.strip() == "done"
    return api.conversation()


def told(request: dict[str, Any]) -> str:
    """All words of a request's messages, those that the CLI adds too."""
    return "\n".join(text_of(message["content"]) for message in request["messages"])
