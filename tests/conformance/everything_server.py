"""Our server with the tools, resources and prompts that the conformance suite asks for beside its own.

Their names and texts are the suite's. Everything else is the real thing: the same class, the same assembly, the same
way of serving.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from typing import Any

from mcp.server.lowlevel.helper_types import ReadResourceContents
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.prompts.base import UserMessage
from mcp.shared.exceptions import MCPError
from mcp_types import (
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    AudioContent,
    CreateMessageRequest,
    CreateMessageRequestParams,
    CreateMessageResult,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    EmbeddedResource,
    ImageContent,
    InputRequiredResult,
    ListRootsRequest,
    ListRootsResult,
    Resource,
    ResourceTemplate,
    SamplingMessage,
    TextContent,
    TextResourceContents,
)
from pydantic import AnyUrl

from halfopen.registry import capabilities
from halfopen_server.http_address import parse_address, resolve
from halfopen_server.mcp import HalfopenServer
from halfopen_server.mcp_http import HttpSettings, serve_http
from halfopen_server.reports import Reports
from halfopen_server.roots import Reach

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg=="
WAV = "UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAA="
SCHEME = "test://"
IMAGE = ImageContent(type="image", data=PNG, mime_type="image/png")


class Everything(HalfopenServer):
    """Resources of the suite beside our own."""

    async def list_resources(self) -> list[Resource]:
        suite = [Resource(uri=f"{SCHEME}{name}", name=name) for name in ("static-text", "static-binary")]
        return [*await super().list_resources(), *suite]

    async def list_resource_templates(self) -> list[ResourceTemplate]:
        suite = ResourceTemplate(uri_template=f"{SCHEME}template/{{id}}/data", name="template")
        return [*await super().list_resource_templates(), suite]

    async def read_resource(
        self, uri: AnyUrl | str, context: Context[Any, Any] | None = None
    ) -> Iterable[ReadResourceContents]:
        kind, *rest = str(uri).removeprefix(SCHEME).split("/")
        if not str(uri).startswith(SCHEME) or kind not in {"static-text", "static-binary", "template"}:
            return await super().read_resource(uri, context)
        if kind == "static-binary":
            return [ReadResourceContents(content=base64.b64decode(PNG), mime_type="image/png")]
        text = "This is the content of the static text resource."
        if kind == "template":
            text = json.dumps({"id": rest[0], "templateTest": True, "data": f"Data for ID: {rest[0]}"})
            return [ReadResourceContents(content=text, mime_type="application/json")]
        return [ReadResourceContents(content=text, mime_type="text/plain")]


def _embedded(uri: str, text: str, media_type: str = "text/plain") -> EmbeddedResource:
    return EmbeddedResource(type="resource", resource=TextResourceContents(uri=uri, mime_type=media_type, text=text))


def _said(text: str) -> TextContent:
    return TextContent(type="text", text=text)


def test_simple_text() -> str:
    return "This is a simple text response for testing."


def test_image_content() -> list[ImageContent]:
    return [IMAGE]


def test_audio_content() -> list[AudioContent]:
    return [AudioContent(type="audio", data=WAV, mime_type="audio/wav")]


def test_embedded_resource() -> list[EmbeddedResource]:
    return [_embedded("test://embedded-resource", "This is an embedded resource content.")]


def test_multiple_content_types() -> list[TextContent | ImageContent | EmbeddedResource]:
    data = _embedded("test://mixed-content-resource", '{"test": "data", "value": 123}', "application/json")
    return [_said("Multiple content types test:"), IMAGE, data]


async def test_tool_with_logging(ctx: Context[Any, Any]) -> str:
    for message in ("Tool execution started", "Tool processing data", "Tool execution completed"):
        await ctx.info(message)  # type: ignore[deprecated]
    return "Tool with logging executed successfully"


async def test_tool_with_progress(ctx: Context[Any, Any]) -> str:
    for done in (0, 50, 100):
        await ctx.report_progress(done, 100, f"Completed step {done} of 100")
    return "done"


def test_error_handling() -> str:
    raise RuntimeError("This tool intentionally returns an error for testing")


async def test_missing_capability(ctx: Context[Any, Any]) -> str:
    declared = ctx.client_capabilities
    if declared is None or declared.sampling is None:
        needed = {"requiredCapabilities": {"sampling": {}}}
        raise MCPError(MISSING_REQUIRED_CLIENT_CAPABILITY, "This tool needs the client to sample.", needed)
    return "The client can sample."


def _ask(message: str, name: str, kind: str = "string") -> ElicitRequest:
    schema = {"type": "object", "properties": {name: {"type": kind}}, "required": [name]}
    return ElicitRequest(params=ElicitRequestFormParams(message=message, requested_schema=schema))


def _sample(prompt: str) -> CreateMessageRequest:
    messages = [SamplingMessage(role="user", content=_said(prompt))]
    return CreateMessageRequest(params=CreateMessageRequestParams(messages=messages, max_tokens=50))


def _answered(ctx: Context[Any, Any], question: str, name: str) -> Any:
    answer = (ctx.input_responses or {}).get(question)
    return answer.content.get(name) if isinstance(answer, ElicitResult) and answer.content else None


async def test_input_required_result_elicitation(ctx: Context[Any, Any]) -> str | InputRequiredResult:
    if name := _answered(ctx, "user_name", "name"):
        return f"Hello, {name}!"
    return InputRequiredResult(input_requests={"user_name": _ask("What is your name?", "name")})


async def test_input_required_result_sampling(ctx: Context[Any, Any]) -> str | InputRequiredResult:
    answer = (ctx.input_responses or {}).get("capital_question")
    if isinstance(answer, CreateMessageResult):
        return f"Model said: {answer.content}"
    return InputRequiredResult(input_requests={"capital_question": _sample("What is the capital of France?")})


async def test_input_required_result_list_roots(ctx: Context[Any, Any]) -> str | InputRequiredResult:
    answer = (ctx.input_responses or {}).get("client_roots")
    if isinstance(answer, ListRootsResult):
        return f"Client exposed {len(answer.roots)} root(s)."
    return InputRequiredResult(input_requests={"client_roots": ListRootsRequest()})


async def test_input_required_result_request_state(ctx: Context[Any, Any]) -> str | InputRequiredResult:
    if "confirm" in (ctx.input_responses or {}) and ctx.request_state == "nonce":
        return "state-ok: confirmation received"
    return InputRequiredResult(
        input_requests={"confirm": _ask("Please confirm", "ok", "boolean")}, request_state="nonce"
    )


async def test_input_required_result_multiple_inputs(ctx: Context[Any, Any]) -> str | InputRequiredResult:
    asked = {
        "user_name": _ask("What is your name?", "name"),
        "greeting": _sample("Generate a greeting"),
        "client_roots": ListRootsRequest(),
    }
    if asked.keys() <= (ctx.input_responses or {}).keys():
        return "All inputs received."
    return InputRequiredResult(input_requests=asked, request_state="multiple")


async def test_input_required_result_multi_round(ctx: Context[Any, Any]) -> str | InputRequiredResult:
    state = json.loads(ctx.request_state or "{}")
    if state.get("round") == 2 and (color := _answered(ctx, "step2", "color")):
        return f"{state['name']} likes {color}."
    if state.get("round") == 1 and (name := _answered(ctx, "step1", "name")):
        asked = {"step2": _ask("Step 2: What is your favorite color?", "color")}
        return InputRequiredResult(input_requests=asked, request_state=json.dumps({"round": 2, "name": name}))
    asked = {"step1": _ask("Step 1: What is your name?", "name")}
    return InputRequiredResult(input_requests=asked, request_state=json.dumps({"round": 1}))


async def test_input_required_result_tampered_state(ctx: Context[Any, Any]) -> str | InputRequiredResult:
    if ctx.request_state is None:
        asked = {"confirm": _ask("Please confirm", "ok", "boolean")}
        return InputRequiredResult(input_requests=asked, request_state="round-1")
    return f"state-ok: {ctx.request_state}"


async def test_input_required_result_capabilities(ctx: Context[Any, Any]) -> InputRequiredResult:
    declared = ctx.client_capabilities
    asked: dict[str, Any] = {}
    if declared is None or declared.sampling is not None:
        asked["sample"] = _sample("Say hello")
    if declared is None or declared.elicitation is not None:
        asked["ask"] = _ask("What is your name?", "name")
    return InputRequiredResult(input_requests=asked, request_state="gated")


async def test_trigger_tool_change(ctx: Context[Any, Any]) -> str:
    await ctx.notify_tools_changed()
    return "tool list changed"


async def test_trigger_prompt_change(ctx: Context[Any, Any]) -> str:
    await ctx.notify_prompts_changed()
    return "prompt list changed"


def test_simple_prompt() -> list[UserMessage]:
    return [UserMessage(content=_said("This is a simple prompt for testing."))]


def test_prompt_with_arguments(arg1: str, arg2: str) -> list[UserMessage]:
    return [UserMessage(content=_said(f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"))]


def test_prompt_with_embedded_resource(resourceUri: str) -> list[UserMessage]:  # noqa: N803 - the suite's name
    embedded = _embedded(resourceUri, "Embedded resource content for testing.")
    return [UserMessage(content=embedded), UserMessage(content=_said("Please process the embedded resource above."))]


def test_prompt_with_image() -> list[UserMessage]:
    return [UserMessage(content=IMAGE), UserMessage(content=_said("Please analyze the image above."))]


async def test_input_required_result_prompt(ctx: Context[Any, Any]) -> list[UserMessage] | InputRequiredResult:
    if context := _answered(ctx, "user_context", "context"):
        return [UserMessage(content=_said(f"Use the following context: {context}"))]
    return InputRequiredResult(input_requests={"user_context": _ask("What context should it use?", "context")})


TOOLS = (
    *(test_simple_text, test_image_content, test_audio_content, test_embedded_resource, test_multiple_content_types),
    *(test_tool_with_logging, test_tool_with_progress, test_error_handling, test_missing_capability),
    *(test_input_required_result_elicitation, test_input_required_result_sampling),
    *(test_input_required_result_list_roots, test_input_required_result_request_state),
    *(test_input_required_result_multiple_inputs, test_input_required_result_multi_round),
    *(test_input_required_result_tampered_state, test_input_required_result_capabilities),
    *(test_trigger_tool_change, test_trigger_prompt_change),
)
PROMPTS = (
    *(test_simple_prompt, test_prompt_with_arguments, test_prompt_with_embedded_resource, test_prompt_with_image),
    test_input_required_result_prompt,
)


def everything(settings: HttpSettings) -> HalfopenServer:
    """The server, with all of the above."""
    server = Everything(capabilities(), Reports(), Reach.of_operator(settings.roots))
    for tool in TOOLS:
        server.tool(description=f"The suite's {tool.__name__}.")(tool)
    for prompt in PROMPTS:
        server.prompt(description=f"The suite's {prompt.__name__}.")(prompt)
    return server


if __name__ == "__main__":
    # Progress travels in a stream, which the suite asks for.
    serve_http(resolve(parse_address("0")), HttpSettings(stream=True), everything)
