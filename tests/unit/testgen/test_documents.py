"""Long documents are cut to smaller ones of the same form."""

from __future__ import annotations

import json

from greenlane.testgen.documents import shortened

ROWS = "".join(f'<row n="{n}">\n  <cell/>\n</row>' for n in range(40))


def test_an_element_is_kept_with_what_stands_around_it_and_each_says_something_new() -> None:
    text = f'<?xml version="1.0"?><a xmlns="b"><head c="d"/><body>{ROWS}<row kind="last">e<br/>f</row></body></a>'
    assert shortened(text, 100) == [
        '<a xmlns="b"><body><row kind="last">e<br/>f</row></body></a>',
        '<a xmlns="b"><head c="d"/></a>',
        '<a xmlns="b"><body><row n="0">\n  <cell/>\n</row></body></a>',
    ]


def test_what_is_not_closed_is_no_element_and_what_fits_is_left_alone() -> None:
    assert shortened(f"<p>a<img><b>c</b>{'d' * 99}</p>", 40) == ["<p><b>c</b></p>"]
    assert shortened("<a><b/></a>", 40) == []


def test_lists_get_fewer_items_and_texts_get_shorter() -> None:
    text = json.dumps({"pets": [{"name": "abc" * 40, "age": 3}] * 9, "version": 1})
    assert [json.loads(one) for one in shortened(text, 90)] == [
        {"pets": [{"name": ("abc" * 40)[:40], "age": 3}], "version": 1}
    ]


def test_what_is_of_no_known_form_gives_nothing() -> None:
    assert shortened("a line\n" * 40, 100) == []
    assert shortened("{" * 200, 100) == []
    assert shortened("<" * 2_000, 100) == []
