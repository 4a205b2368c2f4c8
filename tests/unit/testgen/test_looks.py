"""What a test looks at beside the first thing that a call shows, and how that is written."""

from __future__ import annotations

import ast
from pathlib import Path

import msgspec
import pytest

from greenlane.domain.service_settings import Service
from greenlane.testgen.asserted import own_look
from greenlane.testgen.choose import Chosen, choose_tests, steady
from greenlane.testgen.code import list_functions
from greenlane.testgen.conditions import describe_condition
from greenlane.testgen.explore import Effect, Observed, Outcome, with_noticed
from greenlane.testgen.inputs import Case, Description
from greenlane.testgen.neighbours import Style, read_style
from greenlane.testgen.options import with_options_together
from greenlane.testgen.render import WrittenCase, render_file
from greenlane.testgen.targets import Target, Targets
from greenlane.testgen.uses import with_company
from greenlane.testgen.vary import vary
from tests.support.projects import write_tree

SOURCE = '''
class basket:
    def __init__(self, names):
        self.names = names

    def add(self, name):
        """No name twice."""
        return len(self.names)


def parse(text, strict=False):
    return text
'''
FUNCTIONS = list_functions(ast.parse(SOURCE), "shop/basket.py", "shop.basket")
LINE: Target = ("shop/basket.py", 1)
FAULTS: list[Target] = [("shop/basket.py", 1, 0, number) for number in range(4)]
ERROR = {"kind": "raises", "error": ("shop.basket", "ParseError"), "importable": True, "deliberate": True}


def observed(name: str, *texts: str, on: str | None = None, line: bool = True, **outcome: object) -> Observed:
    case = Case(
        entry=next(f for f in FUNCTIONS if f.name == name),
        receiver=on,
        arguments=tuple((None, text) for text in texts),
        imports=frozenset({("shop.basket", "basket")} if on else ()),
        fixtures=frozenset(),
        carved=True,
    )
    given: dict[str, object] = {"case": 0, "kind": "value", "value": Description("0")}
    made = Outcome(**(given | outcome))  # type: ignore[arg-type]  # fields by name
    return Observed(case=case, outcome=made, lines={}, reached=frozenset({LINE} if line else ()))


def look(where: str, attribute: str, text: str) -> Effect:
    return Effect(where, attribute, Description(text))


def written(*calls: Observed, wanted: Targets = frozenset({LINE, *FAULTS}), form: str = "function") -> str:
    chosen = choose_tests(calls, wanted)
    tests = [WrittenCase(name=f"test_{n}", purpose="It does.", chosen=one) for n, one in enumerate(chosen)]
    text = render_file(tests, Style(folder="tests", form=form))  # type: ignore[arg-type]  # one of its words
    compile(text, "generated", "exec")
    return text


def test_only_looks_that_notice_what_nothing_else_notices_are_kept() -> None:
    looks = (look("error", "doc", "'a='"), look("error", "lineno", "1"), look("error", "pos", "2"))
    call = observed("parse", "'a='", message="no value", more=looks, value=None, **ERROR)
    call = with_noticed(call, {"": {FAULTS[0]}, "error.lineno.": {FAULTS[0], FAULTS[1]}, "error.doc.": {FAULTS[0]}})
    (chosen,) = choose_tests([call], frozenset({LINE, *FAULTS}))
    assert [look.attribute for look in chosen.calls[0].outcome.more] == ["lineno"]


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("function", 'match="no value") as caught:\n        parse("a=")\n    assert caught.value.lineno == 1'),
        ("unittest", 'parse("a=")\n        self.assertEqual(caught.exception.lineno, 1)'),
    ],
)
def test_attributes_of_an_error_are_looked_at_after_it_was_raised(form: str, expected: str) -> None:
    call = observed("parse", "'a='", message="no value", more=(look("error", "lineno", "1"),), value=None, **ERROR)
    assert expected in written(with_noticed(call, {"error.lineno.": {FAULTS[1]}}), form=form)


def test_what_is_given_and_set_is_looked_at_in_one_test() -> None:
    changes, more = (
        (look("receiver", "names", "['a', 'b']"),),
        (look("receiver", "count", "2"), look("result", "", "2")),
    )
    call = observed("add", "'b'", on="basket(['a'])", changes=changes, more=more, value=Description("2"))
    text = written(with_noticed(call, {"receiver.count.": {FAULTS[0]}, "result..": {FAULTS[1]}}))
    assert 'result = basket_value.add("b")\n' in text  # a class in small letters keeps its name
    assert "basket_value.count == 2\n    assert result == 2" in text
    made = observed(
        "__init__", "[]", view="repr", value=Description("'basket()'"), more=(look("result", "names", "[]"),)
    )
    text = written(with_noticed(made, {"result.names.": {FAULTS[0]}}))
    assert 'result = basket([])\n    assert repr(result) == "basket()"\n    assert result.names == []' in text


def test_what_a_generator_gives_is_kept_where_it_is_looked_at_twice() -> None:
    sizes = Effect("result", "", Description("[1, 2]"), "each size")
    shown = {"listed": True, "view": "each name", "value": Description("['a', 'b']"), "more": (sizes,)}
    text = written(with_noticed(observed("parse", "'ab'", **shown), {"result..each size": {FAULTS[0]}}))
    assert 'result = list(parse("ab"))\n    assert [item.name for item in result] == ["a", "b"]' in text
    assert "assert [item.size for item in result] == [1, 2]" in text


def test_inputs_that_raise_the_same_error_are_rows_of_one_test() -> None:
    first = observed("parse", "'a='", message="no value", value=None, **ERROR)
    other = observed("parse", "'='", message="no key", value=None, line=False, **ERROR)
    calls = [with_noticed(first, {"": {FAULTS[0]}}), with_noticed(other, {"": {FAULTS[1]}})]
    text = written(*calls)
    assert '("text", "message"), [("a=", "no value"), ("=", "no key")]' in text
    assert "with pytest.raises(ParseError, match=message):\n        parse(text)" in text
    assert "with self.assertRaisesRegex(ParseError, message):\n                    parse(text)" in written(
        *calls, form="unittest"
    )


def test_a_look_that_shows_something_else_each_time_is_left_out_and_the_call_kept() -> None:
    first = observed("parse", "'a'", more=(look("result", "made", "1"), look("result", "text", "'a'")))
    again = observed("parse", "'a'", more=(look("result", "made", "2"), look("result", "text", "'a'")))
    (kept,) = steady([first], [again])
    assert [look.attribute for look in kept.outcome.more] == ["text"]


def test_a_name_that_two_modules_of_a_package_offer_is_imported_once() -> None:
    again = {**ERROR, "error": ("shop", "ParseError")}
    calls = [observed("parse", "'a='", message="no value", value=None, **ERROR)]
    calls += [observed("add", "'b'", on="basket([])", message="no", value=None, line=False, **again)]
    text = written(*(with_noticed(o, {"": {fault}}) for o, fault in zip(calls, FAULTS, strict=False)))
    assert text.count("ParseError\n") == 1


@pytest.mark.parametrize(
    "hiding", ["def retry():\n    pass\n", "again = retry = base + 1\n", "retry: int = base\n", "retry, _ = base, 1\n"]
)
def test_a_module_that_its_package_hides_behind_something_else_is_imported_by_names(
    hiding: str, tmp_path: Path
) -> None:
    files = {
        "shop/__init__.py": f"from .retry import base\n\n\n{hiding}",
        "shop/retry.py": "base = 1\n",
        "tests/test_retry.py": "from shop import retry\n\n\ndef test_it():\n    assert retry\n",
    }
    service = Service(name="shop")
    assert read_style(service, write_tree(tmp_path, files), "shop/retry.py", "shop.retry").imports == "names"
    (tmp_path / "shop/__init__.py").write_text("from . import retry\n")
    assert read_style(service, tmp_path, "shop/retry.py", "shop.retry").imports == "package"


def test_a_call_without_the_first_look_noticing_is_still_chosen_for_its_further_one() -> None:
    call = observed("parse", "'a'", more=(look("result", "line", "3"),), line=False)
    (chosen,) = choose_tests([with_noticed(call, {"result.line.": {FAULTS[2]}})], frozenset({LINE, *FAULTS}))
    assert chosen.covers == {FAULTS[2]}
    assert msgspec.structs.asdict(chosen.calls[0].outcome)["more"] == (look("result", "line", "3"),)


def test_options_that_one_condition_names_are_given_together() -> None:
    source = "def find(text, name=None, match=None, limit=10):\n    if name and match:\n        raise ValueError\n"
    tree = ast.parse(source)
    (entry,) = with_company(list_functions(tree, "shop/find.py", "shop.find"), tree)
    assert entry.together == (("name", "match"),)
    seed = Case(
        entry=entry, receiver=None, arguments=((None, "'a'"),), imports=frozenset(), fixtures=frozenset(), carved=True
    )
    assert any([name for name, _ in one.arguments] == [None, "name", "match"] for one in vary(seed, 40))
    given = msgspec.structs.replace(seed, arguments=((None, "'a'"), ("match", "'b'")))
    assert list(with_options_together(given)) == []  # one is left: it is given by itself


def test_an_error_that_nothing_else_tells_apart_is_named_by_its_message() -> None:
    call = observed("parse", message="expected a text, not a list of numbers", value=None, **ERROR)
    assert describe_condition((), call) == ("saying expected a text", "")
    assert describe_condition((), observed("parse")) == ("", "")


def test_no_name_of_a_row_hides_the_module_that_the_function_is_reached_through() -> None:
    (weigh,) = list_functions(ast.parse("def weigh(basket):\n    return basket"), "shop/basket.py", "shop.basket")
    plain = [observed("parse", text, value=Description(text)) for text in ("1", "2")]
    calls = [msgspec.structs.replace(one, case=msgspec.structs.replace(one.case, entry=weigh)) for one in plain]
    chosen = Chosen(calls=tuple(calls), covers=frozenset())
    style = Style(folder="tests", imports="package")
    text = render_file([WrittenCase(name="test_it", purpose="It.", chosen=chosen)], style)
    assert "basket.weigh(basket_value)" in text


@pytest.mark.parametrize(
    ("written", "look"),
    [
        ("self.assertSame(made('a'), Row(1))", "made('a')"),
        ("assert_that(made('a'), is_(3))", "made('a')"),
        ("check_rows({'a': 1}, made('a'))", "made('a')"),
        ("eq_('a', made('a'))", "made('a')"),
        ("assert_same(Row(1), made(given))", "made(given)"),
        ("assert_that(reader.rows, is_(empty()))", "reader.rows"),
        ("self.assertThat(reader.rows[0], Equals(made('a')))", "reader.rows[0]"),
        ("assert_that(found, is_(made('a')))", None),
        ("check_rows(Kind.ROW, made('a'))", "made('a')"),
        ("checked(made('a'))", None),
        ("assert_same(found, fixed)", None),
        ("self.assertEqual(made('a'), 3)", None),
    ],
)
def test_an_assertion_of_the_projects_own_looks_at_the_call_or_part_that_it_is_given(
    written: str, look: str | None
) -> None:
    found = own_look(ast.parse(written, mode="eval").body)
    assert (ast.unparse(found) if found is not None else None) == look
