"""What operations become: services, rpcs, their requests, responses and errors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from inline_snapshot import snapshot

from halfopen.source import BadInput
from halfopen.vocabulary import Status
from tests.grpc.designs import text
from tests.grpc.openapi.documents import answer, document, imported, told

ORDER = {"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}, "note": {"type": "string"}}}
OK: dict[str, Any] = {"200": {"description": "OK"}}


def content(schema: Any, media: str = "application/json") -> dict[str, Any]:
    return {"content": {media: {"schema": schema}}}


def ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def one(verb: str, path: str, folder: Path, **operation: Any) -> tuple[dict[str, Any], Any]:
    """The only rpc that is made of the only operation."""
    found = imported(document({path: {verb: {"responses": OK, **operation}}}, schemas={"Order": ORDER}), folder)
    ((methods),) = found.data["services"].values()
    ((method),) = methods.values()
    return method, found


@pytest.mark.parametrize(
    ("verb", "path", "name"),
    [
        ("get", "/orders", "OrderService.ListOrders"),
        ("get", "/orders/{id}", "OrderService.GetOrder"),
        ("post", "/v1/orders", "OrderService.CreateOrder"),
        ("put", "/orders/{id}", "OrderService.UpdateOrder"),
        ("patch", "/orders/{id}", "OrderService.UpdateOrder"),
        ("delete", "/orders/{id}", "OrderService.DeleteOrder"),
        ("head", "/orders/{id}", "OrderService.CheckOrder"),
        ("post", "/orders/{id}/cancel", "OrderService.CancelOrder"),
        ("post", "/orders/{id}:archive", "OrderService.ArchiveOrder"),
        ("get", "/orders/{id}/lines", "OrderService.ListOrderLines"),
        ("get", "/orders/{id}/status", "OrderService.GetOrderStatus"),
        ("post", "/login", "LoginService.Login"),
        ("get", "/", "ApiService.GetRoot"),
    ],
)
def test_an_operation_without_an_id_is_named_by_its_path(verb: str, path: str, name: str, tmp_path: Path) -> None:
    found = imported(document({path: {verb: {"responses": OK}}}), tmp_path)
    assert [f"{service}.{rpc}" for service, rpcs in found.data["services"].items() for rpc in rpcs] == [name]
    assert told(found, "An operation without operationId") == [f"#/paths/{path.replace('/', '~1')}/{verb}"]


def test_names_are_given_once(tmp_path: Path) -> None:
    paths = {
        "/a": {"get": {"operationId": "list", "tags": ["orders", "more"], "responses": OK}},
        "/b": {"get": {"operationId": "List", "tags": ["User Groups"], "responses": OK}},
        "/c": {"put": {"responses": OK}, "patch": {"responses": OK}},
        "/d/{id}": {"put": {"responses": OK}, "patch": {"responses": OK}},
    }
    found = imported(document(paths, schemas={"ListRequest": ORDER, "OrderService": ORDER}), tmp_path)
    assert {service: list(rpcs) for service, rpcs in found.data["services"].items()} == snapshot(
        {
            "OrderService": ["List"],
            "UserGroupService": ["ListUserGroup"],
            "CService": ["ReplaceC", "UpdateC"],
            "DService": ["ReplaceD", "UpdateD"],
        }
    )
    assert list(found.data["messages"]) == ["ListRequest2", "OrderService2"]
    assert told(found, "would be one rpc") == ["#/paths/~1b/get"]
    assert told(found, "A tag that is no service") == ["#/paths/~1a/get/tags/1"]


def test_an_answer_stays_what_it_was_over_http(tmp_path: Path) -> None:
    answer = {"200": {"description": "ok", "content": {"application/json": {"schema": ORDER}}}}
    paths = {"/orders/{id}": {"get": {"operationId": "showOrder", "responses": answer, "parameters": [
        {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}]}}}  # fmt: skip
    named = {
        "200": {"description": "ok", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/A"}}}}
    }
    found = imported(document(paths), tmp_path).data["services"]
    assert found["OrderService"]["ShowOrder"]["http"] == {"get": "/orders/{id}"}
    paths["/orders/{id}"]["get"]["responses"] = named
    found = imported(document(paths, schemas={"A": ORDER}), tmp_path).data["services"]
    method = found["OrderService"]["ShowOrder"]
    assert method["response"] == {"a": "A"}
    assert method["http"] == {"get": "/orders/{id}", "response_body": "a"}


def test_parameters_are_fields(tmp_path: Path) -> None:
    parameters = [
        {"name": "X-Request-ID", "in": "header", "schema": {"type": "string"}},
        {"name": "Authorization", "in": "header", "schema": {"type": "string"}},
        {"name": "session", "in": "cookie", "schema": {"type": "string"}},
        {"name": "status", "in": "query", "required": True, "description": "Which.", "explode": False,
         "schema": {"type": "array", "items": {"type": "string"}}},
        {"name": "filter", "in": "query", "style": "deepObject",
         "schema": {"type": "object", "properties": {"from": {"type": "string"}}}},
        {"name": "at", "in": "query", "content": {"application/json": {"schema": {"type": "boolean"}}}},
        {"name": "orderId", "in": "path", "required": True, "schema": {"type": "string", "minLength": 3}},
    ]  # fmt: skip
    method, found = one("get", "/orders/{orderId}", tmp_path, parameters=parameters)
    assert method == snapshot(
        {
            "request": {
                "order_id": {"type": "string", "rules": {"min_len": 3}},
                "x_request_id": "optional string",
                "session": "optional string",
                "status": "repeated string",
                "filter": "GetOrderFilter",
                "at": "optional bool",
            },
            "response": {},
            "idempotency": "no-side-effects",
            "http": {"get": "/orders/{order_id}"},
        }
    )
    assert told(found, "A header or cookie is a field") == snapshot(
        ["#/paths/~1orders~1{orderId}/get/parameters/0", "#/paths/~1orders~1{orderId}/get/parameters/2"]
    )
    assert told(found, "Accept, Content-Type and Authorization") == snapshot(
        ["#/paths/~1orders~1{orderId}/get/parameters/1"]
    )
    assert told(found, "spelled in the URL") == snapshot(
        ["#/paths/~1orders~1{orderId}/get/parameters/3/explode", "#/paths/~1orders~1{orderId}/get/parameters/4/style"]
    )


def test_the_operation_s_parameter_wins_over_the_path_s(tmp_path: Path) -> None:
    own = {"name": "id", "in": "path", "required": True, "schema": {"type": "integer", "format": "int32"}}
    path = {"parameters": [{**own, "schema": {"type": "string"}}], "get": {"parameters": [own], "responses": OK}}
    found = imported(document({"/orders/{id}": path}), tmp_path)
    assert found.data["services"]["OrderService"]["GetOrder"]["request"] == {"id": "int32"}


@pytest.mark.parametrize(
    ("body", "request_", "http"),
    [
        ({"required": True, **content(ref("Order"))},
         {"order": {"type": "Order", "rules": {"required": True}}}, "order"),
        (content({"type": "object", "properties": {"a": {"type": "string"}}}), {"a": "optional string"}, "*"),
        (content({"type": "array", "items": ref("Order")}), {"orders": "repeated Order"}, "orders"),
        (content({"type": "string"}), {"value": "optional string"}, "value"),
        (content({"type": "object", "properties": {"a": {"type": "string"}}}, "application/x-www-form-urlencoded"),
         {"a": "optional string"}, "*"),
    ],
)  # fmt: skip
def test_a_body_stands_in_the_request(body: Any, request_: Any, http: str, tmp_path: Path) -> None:
    method, _ = one("post", "/orders", tmp_path, requestBody=body)
    assert method["request"] == request_
    assert method["http"] == {"post": "/orders", "body": http}


def test_files_are_streamed(tmp_path: Path) -> None:
    form = {
        "type": "object",
        "properties": {"file": {"type": "string", "format": "binary"}, "note": {"type": "string"}},
    }
    method, found = one("post", "/files", tmp_path, requestBody=content(form, "multipart/form-data"))
    assert method == {
        "kind": "client-stream",
        "request": {"file": "optional bytes", "note": "optional string"},
        "response": {},
    }
    assert told(found, "streamed in chunks")
    method, _ = one(
        "get", "/files/{id}", tmp_path, responses={"200": {"description": "OK", **content({}, "image/png")}}
    )
    assert (method["kind"], method["response"]) == ("server-stream", {"chunk": "bytes"})
    events = content(ref("Order"), "text/event-stream")
    method, _ = one("get", "/orders:watch", tmp_path, responses={"200": {"description": "OK", **events}})
    assert (method["kind"], method["response"]) == ("server-stream", {"order": "Order"})


def test_answers_and_errors(tmp_path: Path) -> None:
    responses = {
        "201": {"description": "Made", **content(ref("Order")), "headers": {"Location": {}}, "links": {"next": {}}},
        "202": {"description": "Later", **content({"type": "string"})},
        "400": {"description": "Bad Request", **content(ref("Order"))},
        "409": {"description": "There is one"},
        "429": {"description": "Slow down"},
        "4XX": {"description": "Else"},
        "default": {"description": "Broken"},
    }
    method, found = one("post", "/orders", tmp_path, responses=responses, summary="Make it.")
    assert method == snapshot(
        {
            "request": {},
            "response": {"oneof": {"result": {"created": "Order", "accepted": "string"}}},
            "errors": ["INVALID_ARGUMENT", "ALREADY_EXISTS", "RESOURCE_EXHAUSTED"],
            "http": {"post": "/orders"},
        }
    )
    assert found.data["comments"]["OrderService.CreateOrder"] == snapshot("""\
Make it.
ALREADY_EXISTS: There is one
RESOURCE_EXHAUSTED: Slow down
HTTP 4XX: Else
Any other error: Broken
HTTP 201: Made
HTTP 202: Later\
""")
    assert {finding.message.split(":")[0].split(",")[0] for finding in found.unsaid} >= {
        "Headers of an answer aren't carried over", "Links", "The body of an error isn't carried over",
    }  # fmt: skip
    assert told(found, "no status of gRPC") == ["#/paths/~1orders/post/responses/4XX"]


@pytest.mark.parametrize(("size", "place", "follow"), [("limit", "offset", "total"), ("per_page", "page", "next_page"),
                                                       ("limit", "cursor", "next_cursor")])  # fmt: skip
def test_pages_are_those_of_grpc(size: str, place: str, follow: str, tmp_path: Path) -> None:
    parameters = [
        {"name": place, "in": "query", "schema": {"type": "string"}},
        {
            "name": size,
            "in": "query",
            "description": "How many.",
            "schema": {"type": "integer", "minimum": 1, "maximum": 50},
        },
    ]
    page = {"type": "object", "properties": {
        "items": {"type": "array", "items": ref("Order")}, follow: {"type": "string"}}}  # fmt: skip
    responses = {"200": {"description": "OK", **content(page)}}
    method, found = one("get", "/orders", tmp_path, parameters=parameters, responses=responses)
    assert method["paginated"] is True
    assert method["request"] == {"page_token": "string", "page_size": {"type": "int32", "rules": {"lte": 50}}}
    rest = {"total": "optional string"} if follow == "total" else {}
    assert method["response"] == {"items": "repeated Order", **rest, "next_page_token": "string"}
    assert "#/paths/~1orders/get/parameters/0" in told(found, "AIP 158")


def test_what_a_second_call_does(tmp_path: Path) -> None:
    for verb, promise in (("get", "no-side-effects"), ("put", "idempotent"), ("delete", "idempotent"), ("post", None)):
        assert one(verb, "/orders/{id}", tmp_path)[0].get("idempotency") == promise
    key = {"name": "Idempotency-Key", "in": "header", "required": True, "schema": {"type": "string", "format": "uuid"}}
    method, found = one("post", "/orders", tmp_path, parameters=[key])
    assert method["idempotency"] == "idempotent"
    assert method["request"] == {"request_id": {"type": "string", "rules": {"uuid": True}}}
    assert told(found, "A key for idempotency")


def test_what_grpc_has_no_place_for(tmp_path: Path) -> None:
    lost = document({"/orders": {"get": {"responses": OK, "security": [{"key": []}], "callbacks": {"done": {}}},
                                 "options": {"responses": OK}}},
                    securitySchemes={"key": {"type": "http"}}, parameters={"unused": {"name": "a", "in": "query"}},
                    schemas={"Order": ORDER, "Alias": {"type": "string"}})  # fmt: skip
    found = imported({**lost, "servers": [{"url": "https://a"}], "webhooks": {"made": {"post": {}}}}, tmp_path)
    said = {place.path: finding.message.split(":")[0] for finding in found.unsaid for place in finding.evidence}
    assert {place: " ".join(words.split()[:6]) for place, words in said.items()} == snapshot(
        {
            "#/paths/~1orders/get": "An operation without operationId",
            "#/components/schemas/Alias": "What is defined, and used by",
            "#/components/parameters/unused": "What is defined, and used by",
            "#/info": "What the document says of itself",
            "#/servers": "Where the API is served isn't",
            "#/webhooks": "The calls back to whoever called,",
            "#/paths/~1orders/get/callbacks": "The calls back to whoever called,",
            "#/paths/~1orders/options": "OPTIONS and TRACE aren't carried over",
            "#/paths/~1orders/get/security": "Who may call isn't carried over",
            "#/components/securitySchemes/key": "Who may call isn't carried over",
        }
    )


def test_where_things_come_from_is_known(tmp_path: Path) -> None:
    _, found = one("get", "/orders/{id}", tmp_path, responses={"200": {"description": "OK", **content(ref("Order"))}})
    assert [(".".join(key), place.path) for key, place in (found.places or {}).items()] == snapshot(
        [
            ("messages.Order", "#/components/schemas/Order"),
            ("services.OrderService.GetOrder", "#/paths/~1orders~1{id}/get"),
            ("services.OrderService.GetOrder.request.id", "#/paths/~1orders~1{id}"),
            (
                "services.OrderService.GetOrder.response.order",
                "#/paths/~1orders~1{id}/get/responses/200/content/application~1json/schema",
            ),
            ("messages.Order.id", "#/components/schemas/Order/properties/id"),
            ("messages.Order.note", "#/components/schemas/Order/properties/note"),
        ]
    )


def test_what_the_spec_says_wins_over_the_document(tmp_path: Path) -> None:
    paths = {"/orders/{id}": {"get": {"responses": {"200": {"description": "OK", **content(ref("Order"))}}}}}
    report = answer(document(paths, schemas={"Order": ORDER}), tmp_path, remove=["Order.note"],
                    services={"OrderService": {"GetOrder": {"deadline": "200ms"}}})  # fmt: skip
    assert [check for check in report.checks if check.status is not Status.PASSED] == []
    proto = text(report, ".proto")
    assert "note" not in proto
    assert "Deadline: 200ms." in proto
    assert 'get: "/orders/{id}"' in proto


@pytest.mark.parametrize(
    ("parameter", "message"),
    [
        ({"in": "query"}, "#/paths/~1a/get/parameters/0: the key `name` is missing."),
        (
            {"name": "a", "in": "body"},
            '/parameters/0/in: "body" is no place of a parameter. Legal: path, query, header',
        ),
        ({"name": 3}, "/parameters/0/name: 3 is a number; it has to be text."),
        ({"name": "a", "in": "query", "required": "yes"}, 'required: "yes" is text; it has to be true or false.'),
        ([], "/parameters/0: [] is a list; it has to be a mapping of keys."),
    ],
)
def test_a_parameter_that_is_none_is_told(parameter: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"api\.json:\d+: #/paths/~1a/get/parameters/0") as caught:
        imported(document({"/a": {"get": {"parameters": [parameter], "responses": OK}}}), tmp_path)
    assert message in str(caught.value)
