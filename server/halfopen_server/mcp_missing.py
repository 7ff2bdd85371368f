"""What a call lacks and its user can be asked for: asked in one form, by clients that can show one.

Nothing is known here of any capability but its spec. What no form can ask for, such as a list, the error names.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from mcp.server.elicitation import AcceptedElicitation, CancelledElicitation, DeclinedElicitation
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.resolve import Elicit
from mcp_types.version import is_version_at_least
from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from halfopen import wording
from halfopen.registry import Capability
from halfopen_server.mcp_schema import brief

Outcome = AcceptedElicitation[Any] | DeclinedElicitation | CancelledElicitation
Ask = Callable[[dict[str, Any], Context[Any, Any]], Awaitable[Elicit[Any] | None]]

# From here on a question is part of a reply, and the call comes again with its answer.
_ASKS_IN_REPLY = "2026-07-28"
_SIMPLE = {"string", "integer", "number", "boolean"}
# What the protocol lets a form say of a field.
_SAID = {"type", "enum", "description", "default", "format", "minLength", "maxLength", "minimum", "maximum"}


def asking(capability: Capability, place: type[BaseModel], file: str) -> Ask:
    """What asks for all that a call to this capability lacks.

    Args:
        capability: The capability.
        place: What its tool takes beside spec and options.
        file: The field of `place` that names the spec's file: a user can't type a whole spec, but can name one.
    """
    legal = {*capability.spec.model_fields, *capability.options.model_fields, *place.model_fields}

    async def ask(arguments: dict[str, Any], context: Context[Any, Any]) -> Elicit[Any] | None:
        if not _can_be_asked(context) or not legal.issuperset(arguments) or arguments.get(file) is not None:
            return None
        given = {name: value for name, value in arguments.items() if name in capability.spec.model_fields}
        missing = _missing(capability.spec, given)
        fields = _fields(capability.spec, missing)
        if fields and len(fields) == len(missing):
            return Elicit(f"{capability.title}: this is needed and was not said.", _form(fields))
        if missing and not given:
            message = f"{capability.title}: no spec was given. Which file holds one?"
            return Elicit(message, _form(_fields(place, [file])))
        # To ask for a part is of no use: the call would fail for the rest.
        return None

    return ask


def answered(arguments: Mapping[str, Any], outcome: Outcome) -> dict[str, Any]:
    """The arguments with what the user answered."""
    if not isinstance(outcome, AcceptedElicitation) or outcome.data is None:
        return dict(arguments)
    return {**arguments, **outcome.data.model_extra}


def unanswered(outcome: Outcome) -> str:
    """What to tell of a user who was asked and didn't answer; empty if nobody was asked."""
    if isinstance(outcome, DeclinedElicitation):
        return "The user was asked for it and declined."
    if isinstance(outcome, CancelledElicitation):
        return "The user was asked for it and gave no answer."
    return ""


def _can_be_asked(context: Context[Any, Any]) -> bool:
    capabilities = context.client_capabilities
    asked = capabilities.elicitation if capabilities is not None else None
    # A client that names no mode means forms.
    if asked is None or (asked.form is None and asked.url is not None):
        return False
    # In the older era the question is a request of ours, which replies in plain JSON have no way for.
    version = context.protocol_version
    in_reply = version is not None and is_version_at_least(version, _ASKS_IN_REPLY)
    return in_reply or context.session.can_send_request


def _missing(spec: type[BaseModel], given: Mapping[str, Any]) -> tuple[str, ...]:
    """The keys without which this is no spec; none if something else is wrong as well, which the error has to tell."""
    try:
        spec.model_validate({name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        if all(each["type"] == "missing" and len(each["loc"]) == 1 for each in found):
            return tuple(str(each["loc"][0]) for each in found)
    return ()


def _fields(model: type[BaseModel], names: Iterable[str]) -> dict[str, Any]:
    """Those of the fields that a form can ask for, as it does."""
    schema = brief(model.model_json_schema())
    fields = {}
    for name in names:
        field = schema["properties"][name]
        if "$ref" in field:
            field = {**schema["$defs"][field["$ref"].rsplit("/", 1)[-1]], **field}
        if field.get("type") in _SIMPLE:
            said = {key: value for key, value in field.items() if key in _SAID}
            if "pattern" in field:
                told = [field["description"]] if "description" in field else []
                said["description"] = " ".join([*told, f"Write {wording.pattern(field['pattern'])}."])
            fields[name] = said
    return fields


def _form(fields: Mapping[str, Any]) -> type[BaseModel]:
    """A form that takes any answer: what is wrong with one is for the spec to say, in its words."""

    def as_shown(schema: dict[str, Any]) -> None:
        schema.clear()
        schema.update(type="object", properties=dict(fields), required=list(fields))

    return create_model("Form", __config__=ConfigDict(extra="allow", json_schema_extra=as_shown))
