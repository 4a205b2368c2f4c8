"""What a stand-in gives does what the code asks of it."""

from __future__ import annotations

import ast

import pytest

from greenlane.testgen.code import FunctionNode
from greenlane.testgen.handed import STANDS_IN
from greenlane.testgen.replies import replies


@pytest.mark.parametrize(
    ("body", "first"),
    [
        ("found = given(1)\n    found = given.resolve(found)\n    found['a'] = 1", {"resolve.return_value": "{}"}),
        ("answer = given.get(1)\n    return answer.json()['b']", {"get.return_value.json.return_value": "{'b': 'a'}"}),
        ("for key, value in given.read(): pass", {"read.return_value": "[('a', 'b')]"}),
        ("return given.read().split(',')", {"read.return_value": "'a,1'"}),
        ("with given.open() as file: return json.loads(file.read())", {
            "open.return_value.__enter__.return_value.read.return_value": "'{\"a\": 1, \"b\": [1, \"c\"]}'"
        }),
        ("return given.last()", {"last.return_value": "'abc'"}),
        ("return await given.last()", {"last.return_value": "'abc'"}),
        ("given.start()\n    given.part.stop()", None),
        ("return self.given()", None),
    ],
)  # fmt: skip
def test_an_answer_is_what_is_asked_of_it(body: str, first: dict[str, str] | None) -> None:
    node = ast.parse(f"async def f(self, given):\n    {body}\n").body[0]
    assert isinstance(node, FunctionNode)
    assert [dict(row) for row in replies(node)[:1]] == ([first] if first else [])


def test_stand_ins_with_such_answers_are_known_as_stand_ins() -> None:
    assert STANDS_IN.fullmatch("MagicMock(**{'a.return_value': {}, 'b': [('a', 'b')]})")
