"""Which statements of a test a look at something needs."""

from __future__ import annotations

import ast

from greenlane.suite.lines import parse_expression
from greenlane.testgen.slicing import needed_by, without_unused


def kept(body: str, look: str) -> list[str]:
    return [ast.unparse(node) for node in needed_by(ast.parse(body).body, parse_expression(look).body, {"Client"})]


def test_a_call_of_a_method_by_a_name_of_its_own_may_change_the_object_that_another_one_asks() -> None:
    body = "client = Client()\nget = client.get\npost = client.post\nshown('a')\npost('/new')"
    assert kept(body, "get('/id/1')") == ["client = Client()", "get = client.get", "post = client.post", "post('/new')"]
    assert kept(body, "client.get('/id/1')")[-2:] == ["post = client.post", "post('/new')"]


def test_what_touches_something_else_is_not_needed() -> None:
    assert kept("client = Client()\nother = Client()\npost = other.post\npost(1)", "client.get(1)") == [
        "client = Client()"
    ]


def test_a_name_that_nothing_uses_goes_where_giving_it_does_nothing() -> None:
    setup = ["a = MagicMock()", "b = (1, 'x')", "c = made()", "d = 2", "e = d"]
    assert without_unused(setup, "shown(b)") == ["b = (1, 'x')", "c = made()", "d = 2", "e = d"]
    assert without_unused(["a = 1", "a = 2"], "a") == ["a = 1", "a = 2"]


def test_what_was_written_may_come_from_any_call_before() -> None:
    body = "text = 'a'\nwith suppress(SystemExit):\n    main(['a'])\nout, _ = capsys.readouterr()"
    assert kept(body, "'a' in out") == [
        "with suppress(SystemExit):\n    main(['a'])", "out, _ = capsys.readouterr()",
    ]  # fmt: skip


def test_a_function_that_a_decorator_hands_to_an_object_belongs_to_it() -> None:
    body = "app = Client()\n@app.route('/')\ndef start():\n    return 1\ndef other():\n    return 2"
    assert kept(body, "app.get('/')") == ["app = Client()", "@app.route('/')\ndef start():\n    return 1"]
