"""The spec as checked: the user's spec with every decision filled in, as YAML that loads to the same design.

Numbers are written down, so that a field added later can't move another one.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from halfopen.durations import spell_duration
from halfopen_generators.grpc.plan import Api, EnumPlan, FieldPlan, MessagePlan, MethodPlan
from halfopen_generators.grpc.policy import policy

if TYPE_CHECKING:
    from ruamel.yaml.comments import CommentedMap

_WIDE = 4096  # no line of a spec is folded
_HEAD = "The spec as it was checked, with what was decided; DESIGN.md has the reasons. Keep the numbers."


def checked_spec(api: Api) -> str:
    """The YAML text of the design as a spec."""
    from ruamel.yaml import YAML  # noqa: PLC0415 - 40 ms that only rendering needs

    # A package that it is taken from keeps the options and files, for which a spec has no words.
    from_proto = api.imported.given if api.imported and api.imported.base else None
    tree = _block(
        {
            "package": api.package,
            "audience": api.audience,
            "style": api.style,
            "from_proto": from_proto,
            "remove": _flow_list(api.remove) if api.remove and from_proto else None,
            "services": _block(
                {
                    service.asked: _block({rpc.name: _method(api, rpc) for rpc in service.methods})
                    for service in api.services
                }
            ),
            "messages": _of_all(
                (message.name, _message(message)) for message in api.messages if message.location[0] == "messages"
            ),
            "enums": _of_all((enum.name, _enum(enum)) for enum in api.enums),
            "comments": _block(api.comments) if api.comments else None,
            "previous": api.previous.given if api.previous and not (from_proto and api.previous is api.base) else None,
        }
    )
    tree.yaml_set_start_comment(_HEAD)
    writer = YAML(typ="rt", pure=True)
    writer.width = _WIDE
    stream = io.StringIO()
    writer.dump(tree, stream)
    return stream.getvalue()


def _method(api: Api, rpc: MethodPlan) -> CommentedMap:
    return _block(
        {
            "kind": rpc.kind if rpc.streams else None,
            "request": _side(api, rpc, rpc.request, "request"),
            "response": _side(api, rpc, rpc.response, "response"),
            "deadline": spell_duration(rpc.deadline),
            "idempotency": rpc.idempotency,
            "errors": _flow_list(rpc.errors),
            "paginated": rpc.paginated if rpc.paginated or policy().is_("list", rpc.name) else None,
            "retry": _retry(rpc),
            "http": _flow(rpc.http.model_dump(exclude_none=True)) if rpc.http else None,
        }
    )


def _side(api: Api, rpc: MethodPlan, name: str, side: str) -> Any:
    message = api.by_name.get(name)
    return _message(message) if message and message.location == (*rpc.location, side) else name


def _retry(rpc: MethodPlan) -> CommentedMap | None:
    if not rpc.retry_asked:
        return None
    attempts = rpc.retry.attempts if rpc.retry else None
    return _flow({"attempts": attempts, "codes": _flow_list(rpc.codes_asked) if rpc.codes_asked else None})


def _message(message: MessagePlan) -> CommentedMap:
    groups = {
        group: _block({part.name: _field(part) for part in message.fields if part.oneof == group})
        for group in message.oneofs
    }
    return _block(
        {
            **{part.name: _field(part) for part in message.fields if part.oneof is None},
            "oneof": _block(groups) if groups else None,
        }
    )


def _field(part: FieldPlan) -> CommentedMap:
    return _flow(
        {
            "type": part.asked,
            "number": part.number,
            "hot": True if part.hot else None,
            "json_name": part.json_name,
            "rules": _flow(part.rules) if part.rules else None,
        }
    )


def _enum(enum: EnumPlan) -> CommentedMap:
    # The zero that was added is added again.
    return _flow({value.asked: value.number for value in enum.values if value.asked})


def _of_all(named: Iterable[tuple[str, CommentedMap]]) -> CommentedMap | None:
    found = dict(named)
    return _block(found) if found else None


def _block(keys: Mapping[str, Any]) -> CommentedMap:
    """Those of the keys that hold something, each on a line of its own."""
    from ruamel.yaml.comments import CommentedMap  # noqa: PLC0415 - see above

    return CommentedMap({key: value for key, value in keys.items() if value is not None})


def _flow(keys: Mapping[str, Any]) -> CommentedMap:
    tree = _block(keys)
    tree.fa.set_flow_style()
    return tree


def _flow_list(items: tuple[str, ...]) -> Any:
    from ruamel.yaml.comments import CommentedSeq  # noqa: PLC0415 - see above

    found = CommentedSeq(items)
    found.fa.set_flow_style()
    return found
