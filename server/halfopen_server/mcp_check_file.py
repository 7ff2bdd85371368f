"""The tool that checks one file in passing, for agents that ask and for hooks that don't want to wait."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import anyio
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.resolve import Resolve
from mcp.server.mcpserver.tools import Tool
from mcp_types import CallToolResult, ListRootsResult, TextContent, ToolAnnotations
from pydantic import Field

from halfopen.file_checks import FileChecks
from halfopen.registry import Capability
from halfopen.source import BadInput
from halfopen.vocabulary import Report, ReportOutcome
from halfopen_server.mcp_answers import refusal
from halfopen_server.mcp_relay import Runs, in_thread
from halfopen_server.mcp_tools import offered_roots, uris_of
from halfopen_server.roots import Reach, Roots
from halfopen_server.text import what_broke

NAME = "check_file"
# Seconds for a search, and until the answer is given without what doesn't heed the first.
SEARCH = 3.0
PATIENCE = 8.0
MOST_LINES = 10
LONGEST_LINE = 700
# Whether a hook stops Claude over what broke, as the plugin's user set it; else it only tells.
BLOCKS = "HALFOPEN_HOOKS_BLOCK"


def check_file_tool(offered: Iterable[Capability], reach: Reach, runs: Runs) -> Tool:
    """The tool, for the files of these capabilities and those that the registry names besides.

    Args:
        offered: The capabilities.
        reach: Which folders it may read in.
        runs: Where its checks take place.
    """
    checks = FileChecks(offered)
    kinds = ", ".join(f"*{suffix}" for suffix in checks.by_suffix)

    async def call(
        path: Annotated[str, Field(description="The file, in the project.")],
        context: Context[Any, Any],
        client: Annotated[ListRootsResult | None, Resolve(offered_roots)],
        event: Annotated[str, Field(description="For hooks: the event that asks; the answer is a hook's output.")] = "",
    ) -> CallToolResult:
        check = _Check(checks, reach.roots(uris_of(client)), context, runs)
        if event:
            return _said(await check.for_hook(path, event))
        try:
            report, name = await check.of(path)
        except BadInput as error:
            return refusal(error)
        return _said(_told(checks, report, name))

    return Tool.from_function(
        call,
        name=NAME,
        title="Check a file",
        description=f"Tell in a few lines what is broken in a file ({kinds}): it takes seconds at most and writes "
        "nothing. A search that isn't finished by then is said to be so.",
        annotations=ToolAnnotations(
            read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
        ),
        structured_output=False,
    )


def _said(text: str) -> CallToolResult:
    return CallToolResult(content=[TextContent(type="text", text=text)] if text else [])


@dataclass(frozen=True)
class _Check:
    """The checks, for one call."""

    checks: FileChecks
    roots: Roots
    context: Context[Any, Any]
    runs: Runs

    async def of(self, path: str) -> tuple[Report, str]:
        """The report on the file, and the name that it goes by.

        Raises:
            BadInput: it lies outside the roots, can't be read, or is not what its name says.
        """
        real = self.roots.inside(path, "path")
        root = next(folder for folder in self.roots.folders if real.is_relative_to(folder))
        name = real.relative_to(root).as_posix()

        def work(progress: Any) -> Report:
            return self.checks.check_quickly(real, name=name, root=root, seconds=SEARCH, progress=progress)

        return await in_thread(self.context, work, self.runs), name

    async def for_hook(self, path: str, event: str) -> str:
        """What a hook prints: nothing, unless the file is broken."""
        try:
            self.roots.inside(path, "path")
            with anyio.move_on_after(PATIENCE):
                try:
                    report, name = await self.of(path)
                except BadInput as error:
                    return _output(str(error), event) if _is_there(path, self.roots) else ""
                if report.outcome is ReportOutcome.FAIL:
                    return _output(_told(self.checks, report, name), event)
        except BadInput:
            # A file that lies outside of the project is none of ours.
            return ""
        return ""


def _told(checks: FileChecks, report: Report, name: str) -> str:
    broken = what_broke(report)
    lines = [line if len(line) <= LONGEST_LINE else f"{line[:LONGEST_LINE]} ..." for line in broken[:MOST_LINES]]
    if len(broken) > MOST_LINES:
        lines.append(f"... and {len(broken) - MOST_LINES} more")
    found = checks.of(Path(name).name)
    if broken and found is not None and found.tool is not None:
        lines.append(f"`{found.tool}` with this `spec_file` tells more: the runs that show it, and what it needs.")
    return "\n".join([f"{report.outcome.value.upper()} {name}: {report.summary}", *lines])


def _is_there(path: str, roots: Roots) -> bool:
    return (roots.folders[0] / path).is_file()


def _output(broken: str, event: str) -> str:
    told = f"Halfopen checked what you wrote:\n{broken}"
    if os.environ.get(BLOCKS, "").lower() in {"1", "true", "yes"}:
        return json.dumps({"decision": "block", "reason": told}, ensure_ascii=False)
    return json.dumps({"hookSpecificOutput": {"hookEventName": event, "additionalContext": told}}, ensure_ascii=False)
