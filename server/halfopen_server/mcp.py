"""The MCP server: a loop over the registry, the commands as prompts, the artifacts as resources."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable
from importlib.metadata import version
from typing import Any

from mcp.server import MCPServer
from mcp.server.lowlevel.helper_types import ReadResourceContents
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ResourceNotFoundError
from mcp.server.mcpserver.prompts import Prompt
from mcp.server.mcpserver.prompts.base import PromptArgument
from mcp.server.request_state import RequestStateSecurity
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    Completion,
    CompletionArgument,
    GetPromptResult,
    InputRequiredResult,
    PromptReference,
    Resource,
    ResourceTemplate,
    ResourceTemplateReference,
)
from pydantic import AnyUrl

from halfopen.registry import Capability, capabilities
from halfopen_server import mcp_knowledge
from halfopen_server.commands import Command, agent, commands
from halfopen_server.mcp_answers import SCHEME, Reports
from halfopen_server.mcp_explain import explain_tool
from halfopen_server.mcp_relay import Runs
from halfopen_server.mcp_tools import capability_tool
from halfopen_server.roots import Reach

INSTRUCTIONS = (
    "Halfopen designs distributed systems and lets something that can say no check every design: a model "
    "checker, a compiler, an engine. Fill in a tool's spec from the user's words and code, call it, mend what "
    "its findings name, and call again until no error is left. Tell the user what the report says, with its "
    "counterexamples and counts, and no more: a skipped check has proved nothing, and an incomplete search "
    "does not hold. `explain` tells what a finding's code means, `search_knowledge` what is known of a pattern, a "
    "figure or a trade-off."
)


class HalfopenServer(MCPServer[Any]):
    """The server, whose resources are the reports of its own tools.

    Args:
        offered: The capabilities, one tool for each.
        reach: Which folders it may touch for its clients.
        sealing: How what a client carries from one request to the next is sealed; left out: with a key of this
            process alone.
    """

    def __init__(
        self, offered: Iterable[Capability], reach: Reach, sealing: RequestStateSecurity | None = None
    ) -> None:
        self.reports = Reports()
        self.runs = Runs()
        super().__init__(
            "halfopen",
            title="Halfopen",
            version=version("halfopen"),
            instructions=INSTRUCTIONS,
            tools=[
                *(capability_tool(capability, self.reports, reach, self.runs) for capability in offered),
                mcp_knowledge.search_tool(),
                explain_tool(),
            ],
            log_level="WARNING",
            request_state_security=sealing,
        )
        for command in (*commands(), agent()):
            self.add_prompt(_prompt(command))
        self.completion()(_complete)  # type: ignore[no-untyped-call]  # the library gives it no types

    async def get_prompt(
        self, name: str, arguments: dict[str, Any] | None = None, context: Context[Any, Any] | None = None
    ) -> GetPromptResult | InputRequiredResult:
        """A command's text with the user's words in it.

        Raises:
            MCPError: no prompt bears the name, or the arguments aren't its own.
        """
        legal = ", ".join(prompt.name for prompt in await self.list_prompts())
        try:
            return await super().get_prompt(name, arguments, context)
        except ValueError as error:
            # The library takes a caller's slip for a fault of the server's, and logs a traceback.
            raise MCPError(INVALID_PARAMS, f"{error}. Legal: {legal}, each with `request`, a text.") from None

    async def list_resources(self) -> list[Resource]:
        """Every report that is kept, and every artifact of it; then what people mention by address."""
        reports = [
            Resource(uri=uri, name=uri.removeprefix(SCHEME), mime_type=media_type)
            for uri, media_type in self.reports.resources()
        ]
        return [*reports, *mcp_knowledge.listed()]

    async def list_resource_templates(self) -> list[ResourceTemplate]:
        """How the addresses of reports and artifacts are formed."""
        return [
            ResourceTemplate(
                uri_template=SCHEME + "{id}",
                name="report",
                title="A report in full, texts included",
                mime_type="application/json",
            ),
            ResourceTemplate(uri_template=SCHEME + "{id}/{+path}", name="artifact", title="One artifact of a report"),
            *mcp_knowledge.templates(),
        ]

    async def read_resource(
        self,
        uri: AnyUrl | str,
        context: Context[Any, Any] | None = None,  # noqa: ARG002 - the base class passes it
    ) -> Iterable[ReadResourceContents]:
        """A report, an artifact or a page of what is known.

        Raises:
            ResourceNotFoundError: nothing of that name is kept or known.
        """
        if mcp_knowledge.is_entry(str(uri)):
            return [ReadResourceContents(content=mcp_knowledge.read(str(uri)), mime_type="text/markdown")]
        try:
            text, media_type = self.reports.read(str(uri))
        except KeyError as error:
            raise ResourceNotFoundError(error.args[0]) from None
        return [ReadResourceContents(content=text, mime_type=media_type)]


async def _complete(
    ref: PromptReference | ResourceTemplateReference, argument: CompletionArgument, _context: object
) -> Completion | None:
    if isinstance(ref, ResourceTemplateReference):
        found = mcp_knowledge.completions(ref.uri, argument.value)
    else:
        found = mcp_knowledge.subjects(argument.value)
    return None if found is None else Completion(values=found, total=len(found), has_more=False)


def _prompt(command: Command) -> Prompt:
    def render(request: str = "") -> str:
        return command.filled(request)

    argument = PromptArgument(name="request", description=command.argument_hint.strip("[]") or None)
    return Prompt(name=command.name, description=command.description, arguments=[argument], fn=render)


def build_server(
    offered: Iterable[Capability] | None = None,
    *,
    reach: Reach | None = None,
    sealing: RequestStateSecurity | None = None,
) -> HalfopenServer:
    """The server with one tool per capability.

    Args:
        offered: The capabilities; left out: all that are registered.
        reach: Which folders it may touch; left out: those that the client offers.
        sealing: As `HalfopenServer` takes it.
    """
    return HalfopenServer(capabilities() if offered is None else offered, reach or Reach(), sealing)


def serve_stdio() -> None:
    """Serve on stdin and stdout until the client hangs up; what there is to log goes to stderr."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    build_server().run("stdio")
