"""GraphQL and Protocol Buffers: what breaks a caller, what does not, and what could not be compared."""

from __future__ import annotations

import pytest

from greenlane.analyzers import worker
from greenlane.domain.findings import Severity


def serious(make_review, base: dict[str, str], head: dict[str, str]) -> list[str]:
    result = worker.run("api", make_review(base, head))
    assert not result.skipped, result.skipped
    found = [f for f in result.findings if f.severity is Severity.HIGH]
    assert all(f.line and f.quotation for f in found), found
    return sorted(f.rule for f in found)


GRAPHQL = {
    "api/query.graphql": "extend type Query {\n  item(id: ID!, lang: String): Item!\n}\n",
    "api/types.graphqls": 'type Item @key(fields: "id") {\n  id: ID!\n  price: Price\n}\n'
    "enum Price {\n  LOW\n  HIGH\n}\ninput New {\n  name: String\n}\n",
    "web/item.graphql": "query Q {\n  item(id: 1) { id }\n}\n",
}


@pytest.mark.parametrize(
    ("path", "old", "new", "rules"),
    [
        ("api/types.graphqls", "  price: Price\n", "", ["graphql.field-removed"]),
        ("api/types.graphqls", "price: Price", "price: String", ["graphql.field-changed-kind"]),
        ("api/types.graphqls", "  HIGH\n", "", ["graphql.value-removed-from-enum"]),
        ("api/types.graphqls", "name: String", "name: String\n  size: Int!", ["graphql.required-input-field-added"]),
        ("api/query.graphql", "lang: String", "lang: String!", ["graphql.arg-changed-kind"]),
        ("api/query.graphql", "lang: String", "lang: String, n: Int!", ["graphql.required-arg-added"]),
        ("api/query.graphql", ", lang: String", "", ["graphql.arg-removed"]),
        ("api/query.graphql", "lang: String", "lang: String, n: Int", []),
        ("api/types.graphqls", "price: Price", "price: Price!", []),
        ("api/types.graphqls", "  HIGH\n", "  HIGH\n  TOP\n", []),
        ("web/item.graphql", "{ id }", "{ id price }", []),
    ],
)
def test_a_graphql_schema_breaks_where_a_query_would_fail(make_review, path, old, new, rules) -> None:
    assert old in GRAPHQL[path]
    assert serious(make_review, GRAPHQL, {**GRAPHQL, path: GRAPHQL[path].replace(old, new)}) == rules


def test_a_graphql_schema_that_is_gone_is_a_break(make_review) -> None:
    head = {path: text for path, text in GRAPHQL.items() if path.startswith("web")}
    assert "graphql.type-removed" in serious(make_review, GRAPHQL, head)


@pytest.mark.parametrize("text", ["type Item {", "type Item { a: Nowhere }"])
def test_a_graphql_schema_that_cannot_be_built_is_a_gap(make_review, text) -> None:
    review = make_review({"a.graphql": "type Item { a: Int }"}, {"a.graphql": text})
    assert [s.path for s in worker.run("api", review).skipped] == ["a.graphql"]


PROTO = """syntax = "proto3";
package shop.v1;

message Item {
  reserved 9 to 11;
  string id = 1;
  int32 size = 2;
  oneof price {
    string text = 3;
    Money money = 4;
  }
  message Tag {
    string name = 1;
  }
  repeated Tag tags = 5;
}
message Money {
  int64 units = 1;
}
enum State {
  NEW = 0;
  SOLD = 1;
}
service Shop {
  rpc Get(Item) returns (Item);
  rpc List(Item) returns (stream Item);
}
"""


@pytest.mark.parametrize(
    ("old", "new", "rules"),
    [
        ("  string id = 1;\n", "", ["protobuf.field-removed"]),
        ("size = 2", "size = 6", ["protobuf.field-renumbered"]),
        ("int32 size", "string size", ["protobuf.field-retyped"]),
        ("repeated Tag", "Tag", ["protobuf.field-label-changed"]),
        ("int32 size = 2", "Money cost = 2", ["protobuf.field-replaced"]),
        ("int32 size = 2;", "int32 size = 2;\n  int32 old = 10;", ["protobuf.reserved-number-used"]),
        ("Money money = 4", "string money = 4", ["protobuf.field-retyped"]),
        ("  SOLD = 1;\n", "", ["protobuf.value-removed"]),
        ("message Money", "message Cash", ["protobuf.message-removed"]),
        ("  rpc Get(Item) returns (Item);\n", "", ["protobuf.rpc-removed"]),
        ("returns (stream Item)", "returns (Item)", ["protobuf.rpc-changed"]),
        ("service Shop", "service Store", ["protobuf.service-removed"]),
        ("int32 size", "int64 size", []),
        ("size = 2", "extent = 2", []),
        ("int32 size = 2", "int32 size = 2; string note = 6", []),
        ("Money money", ".shop.v1.Money money", []),
        ("// never", "", []),
    ],
)
def test_a_message_breaks_where_its_bytes_or_names_no_longer_fit(make_review, old, new, rules) -> None:
    assert old in PROTO or old == "// never"
    assert serious(make_review, {"a.proto": PROTO}, {"a.proto": PROTO.replace(old, new)}) == rules


def test_a_message_that_moves_to_another_file_of_the_change_is_not_gone(make_review) -> None:
    money = "message Money {\n  int64 units = 1;\n}\n"
    head = {"a.proto": PROTO.replace(money, ""), "b.proto": 'syntax = "proto3";\npackage shop.v1;\n' + money}
    assert serious(make_review, {"a.proto": PROTO}, head) == []


@pytest.mark.parametrize("text", ["messag X {}", "message X { string a = 1 }", "message X { string a; }", "message {"])
def test_a_proto_that_cannot_be_parsed_is_a_gap_and_one_that_can_is_none(make_review, text) -> None:
    review = make_review({"a.proto": PROTO}, {"a.proto": text})
    assert [s.path for s in worker.run("api", review).skipped] == ["a.proto"]
    review = make_review({"a.proto": PROTO}, {"a.proto": PROTO + "message New {}\n"})
    assert not worker.run("api", review).skipped
    assert not worker.run("reading", review).skipped
