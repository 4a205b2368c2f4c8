"""The body of an answer holds what the code reads of it."""

from __future__ import annotations

import ast
from typing import Any

import pytest

from greenlane.testgen.replied import body_of_answer


@pytest.mark.parametrize(
    ("lines", "body"),
    [
        (["rows = self.session.get(url).json()", "return [row['name'] for row in rows]"], [{"name": "abc"}]),
        (["data = self._client.request(url='/a')", "pages = data['meta']['pages']", "return data.get('next'), pages"],
         {"meta": {"pages": 1}, "next": 1}),
        (["reply = requests.get(url)", "for one in reply.json()['pets']:", "    yield Pet(one['id'], one['kind'])"],
         {"pets": [{"id": 1, "kind": "abc"}]}),
        (["data = (await self.fetch(url))", "return data['items'][0]['name']"], {"items": [{"name": "abc"}]}),
        (["return requests.get(url).status_code"], None),
    ],
)  # fmt: skip
def test_it_has_the_keys_and_items_that_are_read(lines: list[str], body: Any) -> None:
    text = "\n    ".join(["async def read(self, url):", *lines])
    function = ast.parse(text).body[0]
    assert isinstance(function, ast.AsyncFunctionDef)
    assert body_of_answer(function) == body
