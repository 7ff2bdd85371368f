"""The tool that tells what a finding's code means."""

from __future__ import annotations

from typing import Annotated

from mcp.server.mcpserver.tools import Tool
from mcp_types import CallToolResult, TextContent, ToolAnnotations
from pydantic import Field

from halfopen.explain import explain
from halfopen.source import BadInput
from halfopen_server.mcp_answers import refusal


def _explain(code: Annotated[str, Field(description="A finding's code, such as SAG06.")]) -> CallToolResult:
    try:
        return CallToolResult(content=[TextContent(type="text", text=explain(code))])
    except BadInput as error:
        return refusal(error)


def explain_tool() -> Tool:
    """The tool: Markdown in answer, so it has no structured output."""
    return Tool.from_function(
        _explain,
        name="explain",
        title="Explain a finding's code",
        description="The page on a code that a finding bears: what it detects, why it hurts, how to mend it.",
        annotations=ToolAnnotations(
            read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
        ),
        structured_output=False,
    )
