"""The spec as checked: the user's spec with every decision filled in, as YAML that loads to the same design.

Numbers are written down, so that a field added later can't move another one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from halfopen.durations import spell_duration
from halfopen.yaml_text import dump, flow, flow_list, kept
from halfopen_generators.grpc.plan import Api, EnumPlan, FieldPlan, MessagePlan, MethodPlan
from halfopen_generators.grpc.policy import policy

_HEAD = "The spec as it was checked, with what was decided; DESIGN.md has the reasons. Keep the numbers."


def checked_spec(api: Api) -> str:
    """The YAML text of the design as a spec."""
    # A package that it is taken from keeps the options and files, for which a spec has no words.
    from_proto = api.imported.given if api.imported and api.imported.base else None
    tree = kept(
        {
            "package": api.package,
            "audience": api.audience,
            "style": api.style,
            "from_proto": from_proto,
            "remove": flow_list(api.remove) if api.remove and from_proto else None,
            "services": kept(
                {
                    service.asked: kept({rpc.name: _method(api, rpc) for rpc in service.methods})
                    for service in api.services
                }
            ),
            "messages": _of_all(
                (message.name, _message(message)) for message in api.messages if message.location[0] == "messages"
            ),
            "enums": _of_all((enum.name, _enum(enum)) for enum in api.enums),
            "comments": kept(api.comments) if api.comments else None,
            "previous": api.previous.given if api.previous and not (from_proto and api.previous is api.base) else None,
        }
    )
    return dump(tree, head=_HEAD)


def _method(api: Api, rpc: MethodPlan) -> dict[str, Any]:
    return kept(
        {
            "kind": rpc.kind if rpc.streams else None,
            "request": _side(api, rpc, rpc.request, "request"),
            "response": _side(api, rpc, rpc.response, "response"),
            "deadline": spell_duration(rpc.deadline),
            "idempotency": rpc.idempotency,
            "errors": flow_list(rpc.errors),
            "paginated": rpc.paginated if rpc.paginated or policy().is_("list", rpc.name) else None,
            "retry": _retry(rpc),
            "hedging": _hedging(rpc),
            "http": flow(rpc.http.model_dump(exclude_none=True)) if rpc.http else None,
        }
    )


def _side(api: Api, rpc: MethodPlan, name: str, side: str) -> Any:
    message = api.by_name.get(name)
    return _message(message) if message and message.location == (*rpc.location, side) else name


def _retry(rpc: MethodPlan) -> dict[str, Any] | None:
    if not rpc.retry_asked:
        return None
    attempts = rpc.retry.attempts if rpc.retry else None
    return flow({"attempts": attempts, "codes": flow_list(rpc.codes_asked) if rpc.codes_asked else None})


def _hedging(rpc: MethodPlan) -> dict[str, Any] | None:
    if not rpc.hedging_asked:
        return None
    plan = rpc.hedging
    return flow({"attempts": plan.attempts, "delay": spell_duration(plan.delay)} if plan else {})


def _message(message: MessagePlan) -> dict[str, Any]:
    groups = {
        group: kept({part.name: _field(part) for part in message.fields if part.oneof == group})
        for group in message.oneofs
    }
    return kept(
        {
            **{part.name: _field(part) for part in message.fields if part.oneof is None},
            "oneof": kept(groups) if groups else None,
        }
    )


def _field(part: FieldPlan) -> dict[str, Any]:
    return flow(
        {
            "type": part.asked,
            "number": part.number,
            "hot": True if part.hot else None,
            "json_name": part.json_name,
            "rules": flow(part.rules) if part.rules else None,
        }
    )


def _enum(enum: EnumPlan) -> dict[str, Any]:
    # The zero that was added is added again.
    return flow({value.asked: value.number for value in enum.values if value.asked})


def _of_all(named: Iterable[tuple[str, dict[str, Any]]]) -> dict[str, Any] | None:
    found = dict(named)
    return kept(found) if found else None
