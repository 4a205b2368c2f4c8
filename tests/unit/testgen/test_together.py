"""A word is left out of a text in all places where the text stands."""

from __future__ import annotations

from greenlane.testgen.inputs import Script
from greenlane.testgen.together import scripts_with_less


def test_a_template_and_what_is_read_by_it_lose_the_same_word() -> None:
    script = Script(
        imports=frozenset(), setup=("text = show('%d  %m %z')", "other = 'a b'"), look="parse(text, '%d  %m %z')"
    )
    found = [(one.setup[0], one.look) for one in scripts_with_less(script)]
    assert found == [
        ("text = show('%m %z')", "parse(text, '%m %z')"),
        ("text = show('%d  %z')", "parse(text, '%d  %z')"),
        ("text = show('%d  %m')", "parse(text, '%d  %m')"),
    ]
    assert all(one.setup[1] == "other = 'a b'" for one in scripts_with_less(script))
