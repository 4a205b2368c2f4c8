"""The HTTP contract: each rule in the direction that hurts, and nothing in the other."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
import yaml

from greenlane.analyzers import worker
from greenlane.domain.findings import Severity

SCHEMAS: dict[str, Any] = {
    "Base": {"type": "object", "required": ["id"], "properties": {"id": {"type": "integer"}}},
    "Item": {
        "allOf": [
            {"$ref": "#/components/schemas/Base"},
            {
                "properties": {
                    "state": {"type": "string", "enum": ["new", "sold"]},
                    "note": {"type": ["string", "null"]},
                    "owner": {"oneOf": [{"$ref": "#/components/schemas/Person"}, {"type": "null"}]},
                    "tags": {"type": "array", "items": {"type": "string", "maxLength": 10}},
                    "secret": {"type": "string", "writeOnly": True},
                }
            },
        ]
    },
    "Person": {"type": "object", "properties": {"name": {"type": "string"}}},
    "Order": {
        "type": "object",
        "required": ["items"],
        "properties": {
            "items": {"type": "array", "items": {"type": "string"}},
            "kind": {"enum": ["a", "b"]},
            "amount": {"type": "number", "maximum": 100},
            "note": {"type": "string", "nullable": True},
            "number": {"type": "integer", "readOnly": True},
        },
    },
}
CONTRACT: dict[str, Any] = {
    "openapi": "3.1.0",
    "paths": {
        "/items/{id}": {
            "get": {
                "parameters": [{"in": "header", "name": "X-Lang", "schema": {"type": "string"}}],
                "responses": {
                    "200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Item"}}}},
                    "404": {},
                },
            },
            "put": {
                "security": [{"key": []}],
                "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Order"}}}},
                "responses": {"201": {}, "202": {}},
            },
        }
    },
    "components": {"schemas": SCHEMAS, "securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "K"}}},
}
GET, PUT = ("paths", "/items/{id}", "get"), ("paths", "/items/{id}", "put")
ITEM = ("components", "schemas", "Item", "allOf", 1, "properties")
ORDER = ("components", "schemas", "Order", "properties")


def edited(path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """The contract with one value set, or (None) taken out."""
    document = copy.deepcopy(CONTRACT)
    node: Any = document
    for key in path[:-1]:
        node = node[key]
    if value is None:
        del node[path[-1]]
    else:
        node[path[-1]] = value
    return document


def serious(make_review, base: dict[str, str], head: dict[str, str]) -> list[str]:
    result = worker.run("api", make_review(base, head))
    assert not result.skipped
    found = [f for f in result.findings if f.severity is Severity.HIGH]
    assert all(f.line and f.quotation for f in found), found
    return sorted({f.rule.removeprefix("openapi.") for f in found})


@pytest.mark.parametrize("write", [lambda d: json.dumps(d, indent=2), lambda d: yaml.safe_dump(d, sort_keys=False)])
@pytest.mark.parametrize(
    ("path", "value", "rules"),
    [
        ((*GET, "parameters", 0, "required"), True, ["parameter-required"]),
        ((*GET, "parameters"), [{"in": "header", "name": "x-lang", "schema": {"type": "string"}}], []),
        ((*GET, "security"), [{"key": []}], ["security-added"]),
        ((*PUT, "security"), [{"key": []}, {}], []),
        (("security",), [{"key": []}], ["security-added"]),
        (("components", "securitySchemes", "key", "in"), "query", ["security-scheme-changed"]),
        ((*GET, "responses", "404"), None, []),
        ((*PUT, "responses", "202"), None, ["response-removed"]),
        ((*GET, "responses", "200", "content"), {"text/csv": {}}, ["media-type-removed"]),
        ((*PUT, "requestBody", "required"), True, ["request-required"]),
        # returned: nothing may be missing, nothing may come that did not
        ((*ITEM, "note"), {"type": "string"}, []),
        (("components", "schemas", "Base", "properties", "id"), {"type": "integer", "nullable": True},
         ["became-nullable"]),
        (("components", "schemas", "Base", "properties", "id"), {"type": "number"}, ["type-changed"]),
        ((*ITEM, "state", "enum"), ["new", "sold", "lost"], ["response-value-added"]),
        ((*ITEM, "state", "enum"), ["new"], []),
        ((*ITEM, "owner", "oneOf", 1), {"type": "string"}, ["response-variant-added"]),
        ((*ITEM, "owner"), {"$ref": "#/components/schemas/Person"}, []),
        (("components", "schemas", "Person", "properties"), {}, ["response-property-removed"]),
        ((*ITEM, "secret"), None, []),
        ((*ITEM, "tags", "items", "type"), "integer", ["type-changed"]),
        ((*ITEM, "tags", "items", "maxLength"), 5, []),
        (("components", "schemas", "Base", "required"), None, ["response-property-optional"]),
        # accepted: everything that could be sent can be sent
        ((*ORDER, "kind", "enum"), ["a"], ["request-value-removed"]),
        ((*ORDER, "kind", "enum"), ["a", "b", "c"], []),
        ((*ORDER, "note"), {"type": "string"}, ["null-refused"]),
        ((*ORDER, "amount", "maximum"), 50, ["request-bound-narrowed"]),
        ((*ORDER, "amount", "maximum"), 500, []),
        ((*ORDER, "amount", "type"), "integer", ["type-changed"]),
        (("components", "schemas", "Order", "required"), ["items", "kind"], ["request-property-required"]),
        (("components", "schemas", "Order", "required"), ["items", "number"], []),
        (("components", "schemas", "Order", "required"), None, []),
        ((*ORDER, "items"), {"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "string"}]}, []),
        ((*ORDER, "items"), {"anyOf": [{"type": "integer"}, {"type": "string"}]}, ["request-variant-removed"]),
    ],
)  # fmt: skip
def test_a_schema_breaks_in_one_direction_only(make_review, path, value, rules, write) -> None:
    base = {"api/openapi.yaml": write(CONTRACT)}
    assert serious(make_review, base, {"api/openapi.yaml": write(edited(path, value))}) == rules


def test_a_finding_stands_where_the_document_says_it(make_review) -> None:
    base, head = (json.dumps(d, indent=2) for d in (CONTRACT, edited((*ITEM, "state", "enum"), ["new", "lost"])))
    (found,) = worker.run("api", make_review({"openapi.json": base}, {"openapi.json": head})).findings
    assert head.splitlines()[found.line - 1].strip() == found.quotation == '"enum": ['
    assert '"state"' in "".join(head.splitlines()[found.line - 4 : found.line])


ROOT = """openapi: 3.0.0
paths:
  /a:
    get:
      responses:
        '200': {content: {application/json: {schema: {$ref: '%s'}}}}
"""
PART = "Thing:\n  type: object\n  properties:\n    size:\n      type: integer\n"


def test_what_a_document_refers_to_is_part_of_it(make_review) -> None:
    base = {"api/root.yaml": ROOT % "parts/thing.yaml#/Thing", "api/parts/thing.yaml": PART}
    head = {**base, "api/parts/thing.yaml": PART.replace("integer", "string")}
    (found,) = worker.run("api", make_review(base, head)).findings
    assert (found.rule, found.path, found.line) == ("openapi.type-changed", "api/parts/thing.yaml", 4)


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        ({"openapi.yaml": "openapi: 3.0.0\npaths: [\n"}, "not valid"),
        ({"openapi.yaml": ROOT % "https://x.io/thing.yaml"}, "leads out of the repository"),
        ({"openapi.yaml": ROOT % "../thing.yaml"}, "leads out of the repository"),
        ({"openapi.yaml": ROOT % "gone.yaml"}, "can't be read|not a plain file"),
        ({"openapi.yaml": ROOT % "#/components/schemas/Gone"}, "leads nowhere"),
        ({"openapi.yaml": ROOT % "#/a" + "a: {$ref: '#/b'}\nb: {$ref: '#/a'}\n"}, "circle"),
    ],
)
def test_a_contract_that_cannot_be_compared_is_a_gap(make_review, head, reason) -> None:
    base = {"openapi.yaml": ROOT % "#/t" + "t: {type: string}\n"}
    (gap,) = worker.run("api", make_review(base, head)).skipped
    assert gap.path == "openapi.yaml"
    assert any(words in gap.reason for words in reason.split("|"))


def test_the_same_reference_out_of_the_repository_says_nothing(make_review) -> None:
    base = {"openapi.yaml": ROOT % "https://x.io/thing.yaml"}
    assert serious(make_review, base, {"openapi.yaml": base["openapi.yaml"] + "info: {title: x}\n"}) == []


def test_swagger_2_is_compared_too(make_review) -> None:
    parameter = {"in": "query", "name": "n", "type": "string"}
    base = {"swagger": "2.0", "paths": {"/a": {"get": {"parameters": [parameter], "responses": {"200": {}}}}}}
    head = copy.deepcopy(base)
    head["paths"]["/a"]["get"]["parameters"][0]["type"] = "integer"  # type: ignore[index]  # a literal of mixed depth
    texts = [{"swagger.json": json.dumps(d, indent=1)} for d in (base, head)]
    assert serious(make_review, *texts) == ["type-changed"]
