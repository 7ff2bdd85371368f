"""The MCP server: a loop over the registry, the commands as prompts, the artifacts as resources."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterable
from typing import Any

import anyio.to_thread
from mcp.server import MCPServer
from mcp.server.lowlevel.helper_types import ReadResourceContents
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError
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
from mcp_types import Prompt as MCPPrompt
from pydantic import AnyUrl

from halfopen import __version__
from halfopen.registry import Capability, capabilities
from halfopen_server import mcp_knowledge
from halfopen_server.commands import Command, agent, commands
from halfopen_server.databases import NotKept
from halfopen_server.mcp_check_file import check_file_tool
from halfopen_server.mcp_explain import explain_tool
from halfopen_server.mcp_relay import Runs
from halfopen_server.mcp_tools import capability_tool
from halfopen_server.reports import SCHEME, Reports, open_reports
from halfopen_server.roots import Reach

logger = logging.getLogger(__name__)
# Each report that is listed costs the client's context; any other can still be read by its address.
LISTED_REPORTS = 16

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
        reports: Where its tools' reports are kept.
        reach: Which folders it may touch for its clients.
        sealing: How what a client carries from one request to the next is sealed; left out: with a key of this
            process alone.
        lists_reports: Whether a client may be told of the reports of others. Who knows the address of one can read it.
    """

    def __init__(
        self,
        offered: Iterable[Capability],
        reports: Reports,
        reach: Reach,
        sealing: RequestStateSecurity | None = None,
        *,
        lists_reports: bool = True,
    ) -> None:
        self.reports = reports
        self.runs = Runs()
        self._lists_reports = lists_reports
        self._prompted = False
        offered = tuple(offered)
        super().__init__(
            "halfopen",
            title="Halfopen",
            version=__version__,
            instructions=INSTRUCTIONS,
            tools=[
                *(capability_tool(capability, self.reports, reach, self.runs) for capability in offered),
                mcp_knowledge.search_tool(),
                explain_tool(),
                check_file_tool(offered, reach, self.runs),
            ],
            log_level="WARNING",
            request_state_security=sealing,
        )
        self.completion()(_complete)  # type: ignore[no-untyped-call]  # the library gives it no types

    async def list_prompts(self) -> list[MCPPrompt]:
        """The commands, and the engineer himself."""
        self._add_prompts()
        return await super().list_prompts()

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

    def _add_prompts(self) -> None:
        # On first use: to read their front matter takes a YAML library.
        if not self._prompted:
            self._prompted = True
            for command in (*commands(), agent()):
                self.add_prompt(_prompt(command))

    async def list_resources(self) -> list[Resource]:
        """The latest reports, whose artifacts a template addresses; then what people mention by address."""
        most = LISTED_REPORTS if self._lists_reports else 0
        try:
            latest = await anyio.to_thread.run_sync(self.reports.latest, most) if most else ()
        except NotKept as error:
            logger.warning("No reports are listed: %s", error)
            latest = ()
        reports = [
            Resource(uri=kept.uri, name=kept.uri.removeprefix(SCHEME), title=kept.title, mime_type="application/json")
            for kept in latest
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
            ResourceError: what is kept can't be read now.
        """
        if mcp_knowledge.is_entry(str(uri)):
            return [ReadResourceContents(content=mcp_knowledge.read(str(uri)), mime_type="text/markdown")]
        try:
            text, media_type = await anyio.to_thread.run_sync(self.reports.read, str(uri))
        except KeyError as error:
            raise ResourceNotFoundError(error.args[0]) from None
        except NotKept as error:
            logger.warning("%s can't be read: %s", uri, error)
            raise ResourceError("Reports can't be read now: try again later, or call the tool again.") from None
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
    reports: Reports | None = None,
    *,
    reach: Reach | None = None,
    sealing: RequestStateSecurity | None = None,
    lists_reports: bool = True,
) -> HalfopenServer:
    """The server with one tool per capability.

    Args:
        offered: The capabilities; left out: all that are registered.
        reports: Where reports are kept; left out: in memory.
        reach: Which folders it may touch; left out: those that the client offers.
        sealing: As `HalfopenServer` takes it.
        lists_reports: As `HalfopenServer` takes it.
    """
    return HalfopenServer(
        capabilities() if offered is None else offered,
        reports or Reports(),
        reach or Reach(),
        sealing,
        lists_reports=lists_reports,
    )


def serve_stdio(where: str | None = None) -> None:
    """Serve on stdin and stdout until the client hangs up; what there is to log goes to stderr.

    Args:
        where: The place that reports are kept in, as `open_reports` takes it.

    Raises:
        BadInput: it is no such place.
    """
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    build_server(reports=open_reports(where, os.environ)).run("stdio")
