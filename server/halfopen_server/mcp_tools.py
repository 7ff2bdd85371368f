"""One MCP tool per capability: its spec's keys, its options and a place to write to, as flat arguments."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any

import anyio.to_thread
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.resolve import ListRoots, Resolve
from mcp.server.mcpserver.tools import Tool
from mcp.server.mcpserver.utilities.func_metadata import ArgModelBase, FuncMetadata
from mcp_types import CallToolResult, ListRootsResult, TextContent, ToolAnnotations
from pydantic import BaseModel, ConfigDict, Field, model_validator

from halfopen import __version__
from halfopen.progress import Progress
from halfopen.registry import Capability, Options
from halfopen.run import run
from halfopen.source import BadInput, Problem, Source, from_data, read_source, validate
from halfopen.vocabulary import Report
from halfopen.writing import write
from halfopen_server.databases import NotKept
from halfopen_server.mcp_answers import Answer, answer, refusal
from halfopen_server.mcp_budget import compact, shortened
from halfopen_server.mcp_missing import Outcome, answered, asking, unanswered
from halfopen_server.mcp_relay import Runs, in_thread
from halfopen_server.mcp_schema import flat, outline
from halfopen_server.reports import Reports, identify
from halfopen_server.roots import Reach, Roots

logger = logging.getLogger(__name__)

HOW = (
    " Give the spec inline, or its file as `spec_file`. Of the files listed in the reply read the resource at "
    "`report`/`path`, or pass `write_to` to have all in that folder."
)


class Place(BaseModel):
    """What every capability's tool takes beside spec and options."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    spec_file: str | None = Field(default=None, description="YAML or JSON file with the spec, instead of inline keys.")
    write_to: str | None = Field(default=None, description="Folder for all artifacts; left out: nothing is written.")
    overwrite: bool = Field(default=False, description="Replace files in write_to even if changed by hand.")


@dataclass(frozen=True)
class Request:
    """A call, taken apart and found sound as far as that goes without reading the spec."""

    capability: Capability
    inline: Mapping[str, Any]
    options: Options
    spec_file: str | None
    write_to: str | None
    overwrite: bool

    def source(self, roots: Roots) -> Source:
        """The spec.

        Raises:
            BadInput: its file can't be read or lies outside the roots, or the keys hold more than a file may.
        """
        if self.spec_file is None:
            return from_data(dict(self.inline), folders=roots.folders)
        path = roots.inside(self.spec_file, "spec_file")
        # Evidence names the file as the caller did: the same answer wherever the project lies.
        try:
            return replace(read_source(path, regular=True), file=self.spec_file, folders=roots.folders)
        except BadInput as error:
            raise BadInput(replace(problem, file=self.spec_file) for problem in error.problems) from None


class _Whole(ArgModelBase):
    """Arguments as they came: what is wrong with them is for the capability's spec to say, in its words."""

    arguments: dict[str, Any]

    @model_validator(mode="before")
    @classmethod
    def _wrap(cls, data: Any) -> Any:
        return {"arguments": data}


def capability_tool(capability: Capability, reports: Reports, reach: Reach, runs: Runs) -> Tool:
    """The tool of that capability.

    Args:
        capability: Any; nothing here knows one from the other.
        reports: Where its reports are kept to be read as resources.
        reach: Which folders it may touch.
        runs: Where its runs take place.
    """
    schema = flat(capability.spec, capability.options, Place)

    async def call(
        arguments: dict[str, Any],
        context: Context[Any, Any],
        offered: ListRootsResult | None,
        asked: Outcome,
    ) -> CallToolResult:
        try:
            request = _request(capability, _parsed(_text_alone(answered(arguments, asked)), schema))
            return await _reply(request, reach.roots(uris_of(offered)), context, reports, runs)
        except BadInput as error:
            return refusal(error, unanswered(asked))

    async def roots_if_named(
        context: Context[Any, Any], arguments: dict[str, Any], asked: Outcome
    ) -> ListRootsResult | ListRoots | None:
        # Asking costs the client a second request, so only a call that names a path pays for it.
        given = answered(arguments, asked)
        names_a_path = any(given.get(name) is not None for name in (*capability.paths, "spec_file", "write_to"))
        return await offered_roots(context) if names_a_path else None

    # Written in the signatures, the names of what resolves them would be looked for among the module's.
    ask = Annotated[Outcome, Resolve(asking(capability, Place, "spec_file"))]
    roots_if_named.__annotations__["asked"] = call.__annotations__["asked"] = ask
    call.__annotations__["offered"] = Annotated[ListRootsResult | None, Resolve(roots_if_named)]
    tool = Tool.from_function(
        call,
        name=capability.tool,
        title=capability.title,
        description=capability.summary + HOW,
        annotations=ToolAnnotations(
            # It writes where write_to is given, and replaces what is there where overwrite is.
            read_only_hint=False,
            destructive_hint=True,
            idempotent_hint=True,
            open_world_hint=False,
        ),
        structured_output=False,
    )
    output = outline(Answer.model_json_schema())
    metadata = FuncMetadata(arg_model=_Whole, output_schema=output, output_model=Answer)
    return tool.model_copy(update={"parameters": schema, "fn_metadata": metadata})


async def offered_roots(context: Context[Any, Any]) -> ListRootsResult | ListRoots | None:
    """What resolves a tool's argument to the roots that the client offers; None if it offers none."""
    declared = context.client_capabilities
    return ListRoots() if declared is not None and declared.roots is not None else None


def uris_of(offered: ListRootsResult | None) -> list[str] | None:
    """The addresses of what the client offers; None if it offers no roots at all."""
    return None if offered is None else [str(root.uri) for root in offered.roots]


def _text_alone(arguments: dict[str, Any]) -> dict[str, Any]:
    # JSON can spell half of a character, which no text holds and nothing can write out again.
    try:
        json.dumps(arguments, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        half = error.object[error.start].encode("ascii", "backslashreplace").decode()
        raise BadInput([Problem(f"hold half of a character ({half}), which is no text.", "arguments")]) from None
    except RecursionError:
        raise BadInput([Problem("are nested too deep.", "arguments")]) from None
    return arguments


def _parsed(arguments: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments, with lists and mappings that a client sent as JSON text made lists and mappings again."""
    return {name: _unquoted(value, schema["properties"].get(name, {})) for name, value in arguments.items()}


def _unquoted(value: Any, schema: Mapping[str, Any]) -> Any:
    if not isinstance(value, str) or schema.get("type") not in {"array", "object"}:
        return value
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        return value
    return found if isinstance(found, dict | list) else value


def _request(capability: Capability, arguments: Mapping[str, Any]) -> Request:
    legal = (*capability.spec.model_fields, *capability.options.model_fields, *Place.model_fields)
    if unknown := [name for name in arguments if name not in legal]:
        raise BadInput(Problem("unknown argument.", name, value=name, legal=legal) for name in unknown)
    spec = {name: value for name, value in arguments.items() if name in capability.spec.model_fields}
    # Null is how some clients leave an argument out.
    options, place = (
        {name: value for name, value in arguments.items() if name in model.model_fields and value is not None}
        for model in (capability.options, Place)
    )
    placed = validate(Place, Source(place))
    if placed.spec_file is not None and spec:
        given = ", ".join(spec)
        raise BadInput([Problem(f"takes the place of the inline keys ({given}): give one or the other.", "spec_file")])
    if placed.spec_file is None and not spec:
        raise BadInput([Problem("no spec: give its keys inline, or its file as spec_file."), *_needed(capability)])
    return Request(
        capability,
        spec,
        validate(capability.options, Source(options)),
        placed.spec_file,
        placed.write_to,
        placed.overwrite,
    )


def _needed(capability: Capability) -> tuple[Problem, ...]:
    """What a spec of which nothing is there lacks."""
    try:
        validate(capability.spec, Source({}))
    except BadInput as error:
        return error.problems
    return ()


async def _reply(
    request: Request, roots: Roots, context: Context[Any, Any], reports: Reports, runs: Runs
) -> CallToolResult:
    folder = roots.inside(request.write_to, "write_to") if request.write_to is not None else None

    def work(progress: Progress) -> tuple[str, Report]:
        source = request.source(roots)
        report = run(request.capability, source, request.options, progress)
        asked = (source.file, source.text, source.data, request.options.model_dump())
        # What was answered is part of its name: files that the spec names may be others at the next call.
        return identify(__version__, request.capability.tool, *asked, report.model_dump_json()), report

    identity, report = await in_thread(context, work, runs)
    kept = await anyio.to_thread.run_sync(_kept, reports, identity, report)
    result = None
    if folder is not None:
        # Not abandoned when cancelled: a folder is written whole or not at all.
        result = await anyio.to_thread.run_sync(lambda: write(report.artifacts, folder, overwrite=request.overwrite))
    told = shortened(answer(identity if kept else None, report, result))
    return CallToolResult(content=[TextContent(type="text", text=compact(told))], structured_content=told)


def _kept(reports: Reports, identity: str, report: Report) -> bool:
    try:
        reports.keep(identity, report)
    except NotKept as error:
        # The caller gets the answer all the same, and nothing of where our databases are.
        logger.warning("Report %s is not kept: %s", identity, error)
        return False
    return True
