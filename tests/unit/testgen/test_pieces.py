"""The generator's pure parts: what it reads from code, how it varies calls, names tests and writes them."""

from __future__ import annotations

import ast
import textwrap
from pathlib import Path

import msgspec
import pytest

from greenlane.adapters.sandbox.process import BoundedOutput
from greenlane.domain.service_settings import Commands, Service
from greenlane.suite.lines import changed_statements, executable_lines
from greenlane.testgen.callers import entries_of
from greenlane.testgen.choose import choose_tests, is_tellable, steady
from greenlane.testgen.code import Function, enclosing, list_functions, module_name
from greenlane.testgen.conditions import describe_condition, list_conditions
from greenlane.testgen.explore import Effect, Observed, Outcome
from greenlane.testgen.guards import guards_of
from greenlane.testgen.inputs import CarvedCall, Case, Description, Script, is_harmless, seed_cases
from greenlane.testgen.layout import Layout
from greenlane.testgen.naming import describe_outcome, name_test
from greenlane.testgen.neighbours import MARKER, Style, free_path, read_style
from greenlane.testgen.render import WrittenCase, render_file
from greenlane.testgen.vary import vary
from tests.support.projects import lines_with, write_tree

SOURCE = textwrap.dedent('''
    LIMITS = {"gold": 100}


    def _bonus(tier):
        return LIMITS.get(tier, 0)  # bonus


    def discount(total, tier="none", *, member=False):
        """What is taken off."""
        if total < 0:
            raise ValueError("total is negative 77")
        if member and total >= 50:
            return 5  # member
        for _ in range(3):
            if tier == "gold":
                return _bonus(tier)  # gold
        return 0


    class Basket:
        def __init__(self, currency="EUR"):
            self.currency = currency

        @property
        def empty(self):
            return True
''').lstrip()
TREE = ast.parse(SOURCE)
FUNCTIONS = list_functions(TREE, "shop/pricing.py", "shop.pricing")


def function(name: str) -> Function:
    return next(f for f in FUNCTIONS if f.name == name)


def line(needle: str) -> int:
    (number,) = lines_with(SOURCE, needle)
    return number


def call(*texts: str, **keywords: str) -> CarvedCall:
    return CarvedCall(
        target="t",
        receiver=None,
        positional=tuple(Description(text) for text in texts),
        keywords=tuple((name, Description(text)) for name, text in keywords.items()),
    )


def seen(case: Case, text: str | None = "0", *, lines: tuple[int, ...] = (), **changes: object) -> Observed:
    given: dict[str, object] = {"case": 0, "kind": "value", "value": Description(text) if text else None}
    outcome = Outcome(**(given | changes))  # type: ignore[arg-type]  # fields by name
    ran = frozenset(("shop/pricing.py", line) for line in lines)
    return Observed(case=case, outcome=outcome, lines={"shop/pricing.py": frozenset(lines)}, reached=ran)


ERROR = Outcome(case=0, kind="raises", error=("builtins", "ValueError"), importable=True, deliberate=True, message="no")


def case(*texts: str, name: str = "discount", **keywords: str) -> Case:
    (made,) = seed_cases(function(name), [call(*texts, **keywords)], 0, 8)
    return made


# ------------------------------------------------------------------ reading code


def test_functions_are_read_with_what_they_compare() -> None:
    discount = function("discount")
    assert [(p.name, p.default, p.keyword_only) for p in discount.params] == [
        ("total", None, False), ("tier", "'none'", False), ("member", "False", True),
    ]  # fmt: skip
    assert discount.constants[:3] == (0, 50, "gold")
    assert 77 not in discount.constants
    assert {"gold", 100} <= set(function("_bonus").constants)
    assert function("empty").kind == "property"


def test_a_private_function_is_reached_through_its_public_caller() -> None:
    bonus = function("_bonus")
    assert [f.name for f in entries_of(bonus, FUNCTIONS)] == ["discount", "_bonus"]
    assert enclosing(FUNCTIONS, line("# bonus")) == bonus


def test_the_conditions_around_a_line_are_known() -> None:
    member = [(g.test, g.met) for g in guards_of(TREE, line("# member"))]
    assert member == [("total < 0", False), ("member and total >= 50", True)]
    gold = [(g.test, g.met) for g in guards_of(TREE, line("# gold"))]
    assert gold[-1] == ("tier == 'gold'", True)


@pytest.mark.parametrize(
    ("path", "roots", "module"),
    [
        ("shop/pricing.py", (".",), "shop.pricing"),
        ("src/shop/pricing.py", ("src", "."), "shop.pricing"),
        ("shop/__init__.py", (".",), "shop"),
        ("services/a/app/x.py", ("services/a",), "app.x"),
    ],
)
def test_a_file_is_imported_by_the_shortest_name(path: str, roots: tuple[str, ...], module: str) -> None:
    assert module_name(path, roots) == module


def test_changed_lines_count_as_their_statement() -> None:
    text = "x = [\n    1,\n]\n\n# comment\nif x:\n    y = 1\nelse:\n    y = 2\n"
    assert executable_lines(text) == {1, 6, 7, 9}
    assert changed_statements(text, {2, 3, 5, 8}) == {1}


# ------------------------------------------------------------------ inputs


@pytest.mark.parametrize(
    ("text", "harmless"),
    [
        ("[1, {'a': (-2, None)}]", True),
        ("Money(3)", True),
        ("__import__('os').system('x')", False),
        ("[x for x in ()]", False),
        ("Money.__class__", False),
        ("os.environ", False),
        ("lambda: 1", False),
        ("f'{Money}'", False),
        ("(" * 300 + ")" * 300, False),
    ],
)
def test_only_plain_expressions_come_out_of_the_sandbox(text: str, harmless: bool) -> None:
    assert is_harmless(Description(text, imports=(("shop.money", "Money"),))) is harmless


@pytest.mark.parametrize(
    ("text", "harmless"),
    [("f'{tmp_path}/a.txt'", True), ("f'{tmp_path!r}'", False), ("f'{tmp_path:>9}'", False), ("f'{other}'", False)],
)
def test_into_a_text_from_the_sandbox_goes_a_fixture_as_it_is_and_nothing_else(text: str, harmless: bool) -> None:
    assert is_harmless(Description(text, fixtures=("tmp_path",))) is harmless


def test_carved_calls_leave_out_defaults_and_what_can_not_be_written() -> None:
    lost = CarvedCall("t", None, (None, Description("'gold'")), ())
    (seed,) = seed_cases(function("discount"), [call("10", "'none'", member="False"), lost], 0, 8)
    assert seed.arguments == ((None, "10"),)
    assert seed.carved


def test_variations_hold_the_boundaries_and_the_options() -> None:
    varied = {made.arguments for made in vary(case("10"), 100)}
    assert {((None, "49"),), ((None, "50"),), ((None, "51"),), ((None, "-1"),)} <= varied
    assert ((None, "10"), ("member", "True")) in varied
    assert ((None, "10"), ("tier", "'gold'")) in varied


def test_variations_are_the_same_each_time() -> None:
    assert [v.key for v in vary(case("10", "'silver'"), 80)] == [v.key for v in vary(case("10", "'silver'"), 80)]


# ------------------------------------------------------------------ choosing


def test_a_crash_by_the_way_is_no_behaviour_to_pin() -> None:
    error = {"kind": "raises", "error": ("builtins", "TypeError"), "importable": True, "value": None}
    assert not is_tellable(seen(case("10"), None, **error, deliberate=False))
    assert is_tellable(seen(case("10"), None, **error, deliberate=True))


def test_what_holds_the_date_of_the_day_is_not_pinned() -> None:
    assert not is_tellable(seen(case("10"), "'2026-11-20'", dated=True))


def test_a_fault_on_a_line_that_was_run_before_gets_a_row_where_one_fits_else_a_test() -> None:
    open_line, fault = ("shop/pricing.py", 1), ("shop/pricing.py", 2, 0, 7)
    closing = seen(case("60"), "5", lines=(1,))
    noticing = msgspec.structs.replace(seen(case("10"), "0"), reached=frozenset({fault}))
    (chosen,) = choose_tests([noticing, closing], frozenset({open_line, fault}))
    assert [o.case.key for o in chosen.calls] == [closing.case.key, noticing.case.key]
    assert chosen.covers == {open_line, fault}
    raising = msgspec.structs.replace(noticing, outcome=ERROR)
    (closes, holds) = choose_tests([raising, closing], frozenset({open_line, fault}))
    assert (closes.covers, holds.covers) == ({open_line}, {fault})


def test_two_short_calls_are_taken_before_a_long_one_that_closes_the_same() -> None:
    calls = [seen(case("60"), "5", lines=(1,)), seen(case("10"), "0", lines=(2,))]
    long = seen(case("10", repr("x" * 300)), "1", lines=(1, 2))
    wanted = frozenset({("shop/pricing.py", 1), ("shop/pricing.py", 2)})
    taken = {o.case.key for chosen in choose_tests([long, *calls], wanted) for o in chosen.calls}
    assert taken == {o.case.key for o in calls}


def test_the_fewest_calls_that_reach_the_lines_are_chosen() -> None:
    wide, narrow = seen(case("60"), "5", lines=(1, 2, 3)), seen(case("10"), "0", lines=(1,))
    (chosen,) = choose_tests([narrow, wide], frozenset({("shop/pricing.py", 1), ("shop/pricing.py", 3)}))
    assert chosen.calls[0] == wide


def test_inputs_of_one_behaviour_become_parameters() -> None:
    calls = [seen(case(str(n)), str(n // 10), lines=(4,)) for n in (50, 60, 70, 80)]
    (chosen,) = choose_tests(calls, frozenset({("shop/pricing.py", 4)}))
    assert len(chosen.calls) == 3


def test_an_outcome_that_changes_from_run_to_run_is_found() -> None:
    first = [seen(case("1"), "1"), seen(case("2"), "2"), seen(case("3"), "3")]
    again = [seen(case("1"), "1"), seen(case("2"), "9")]
    assert steady(first, again) == first[:1]


# ------------------------------------------------------------------ words


def test_names_say_outcome_and_condition() -> None:
    observed = seen(case("60", member="True"), "5")
    condition, sentence = describe_condition(guards_of(TREE, line("# member")), observed)
    outcome, _ = describe_outcome(observed)
    taken: set[str] = set()
    name = name_test(function("discount"), outcome, condition, taken)
    assert name == "test_discount_is_5_when_member_and_total_is_at_least_50"
    assert sentence == "`member` is set and `total` is at least `50`"
    assert name_test(function("discount"), outcome, condition, taken) == f"{name}_2"


@pytest.mark.parametrize(
    ("value", "words", "sentence"),
    [
        ("'a b'", "is a b", "returns `'a b'`"),
        (r"'a\nb'", "", r"returns `'a\nb'`"),
        ("'<b>'", "", "returns `'<b>'`"),
        ("-2", "is minus 2", "returns `-2`"),
        (repr("word " * 20), "", "returns this text"),
        (f"Point({list(range(30))})", "", "returns this `Point`"),
    ],
)
def test_a_value_is_part_of_a_name_where_its_words_say_it(value: str, words: str, sentence: str) -> None:
    assert describe_outcome(seen(case("60"), value)) == (words, sentence)


def test_a_second_test_of_one_condition_is_named_after_what_it_gives() -> None:
    observed = seen(case("60", member="True"), "5")
    found = list_conditions(guards_of(TREE, line("# member")), observed)
    assert found[0][0] == "member and total is at least 50"
    assert ("member is true", "`member` is `True`") in found[1:]


def test_what_a_script_gives_to_the_function_is_its_condition() -> None:
    script = Script(imports=frozenset(), setup=("basket = [1]",), look="discount(len(basket), member=False)")
    observed = seen(msgspec.structs.replace(case("60"), arguments=(), script=script), "5")
    assert describe_condition((), observed) == ("member is false", "`member` is `False`")


@pytest.mark.parametrize(
    ("look", "words", "sentence"),
    [
        ("known_names", "leaves known names", "leaves this in `known_names`"),
        ("result.output", "", "gives this `output`"),
        ("discount(7)", "is 5", "returns `5`"),
        ("inside", "", "gives this inside"),
        ("len(result.rows)", "", "gives so many `rows`"),
        ("list(result.rows)", "", "gives this `rows`"),
    ],
)
def test_what_is_left_behind_is_not_called_a_result(look: str, words: str, sentence: str) -> None:
    script = Script(imports=frozenset(), setup=("discount(7)",), look=look)
    observed = seen(msgspec.structs.replace(case("60"), arguments=(), script=script), "5")
    assert describe_outcome(observed) == (words, sentence)


# ------------------------------------------------------------------ writing


def render(observed: list[Observed], **style: object) -> str:
    given: dict[str, object] = {"folder": "tests"}
    chosen = choose_tests(observed, frozenset({("shop/pricing.py", 1)}))
    written = [WrittenCase(name="test_it", purpose="It does.", chosen=c) for c in chosen]
    text = render_file(written, Style(**(given | style)))  # type: ignore[arg-type]  # fields by name
    compile(text, "generated", "exec")
    assert MARKER in text
    return text


def test_a_value_an_error_and_parameters_are_written_as_one_would() -> None:
    assert "assert discount(60, member=True) == 5\n" in render([seen(case("60", member="True"), "5", lines=(1,))])
    error = {"kind": "raises", "error": ("builtins", "ValueError"), "importable": True, "deliberate": True}
    text = render([seen(case("-1"), None, lines=(1,), message="total (net) is negative", **error)])
    assert 'with pytest.raises(ValueError, match=r"total \\(net\\) is negative"):\n        discount(-1)' in text
    text = render([seen(case(str(n)), str(n // 10), lines=(1,)) for n in (50, 60)])
    assert '@pytest.mark.parametrize(("total", "expected"), [(50, 5), (60, 6)])' in text
    assert "assert discount(total) == expected" in text


def test_a_float_that_nobody_would_type_is_approximate() -> None:
    assert "pytest.approx(0.30000000000000004)" in render([seen(case("1"), "0.30000000000000004", lines=(1,))])
    assert "discount(1) == 0.5\n" in render([seen(case("1"), "0.5", lines=(1,))])


def test_a_visible_effect_is_asserted_on_a_named_receiver() -> None:
    effect = Effect("#0", "", Description("[1, 2]"))
    text = render([seen(case("[1]"), "None", lines=(1,), changes=(effect,))])
    assert "total = [1]\n    discount(total)\n    assert total == [1, 2]" in text


def test_a_warning_is_asked_for_where_the_call_is_made() -> None:
    warned = ("builtins", "DeprecationWarning", "discount(total) is old; " + "use Basket " * 20)
    text = render([seen(case("60"), "5", lines=(1,), warned=warned)])
    assert (
        'with pytest.warns(\n        DeprecationWarning,\n        match=r"discount\\(total\\) is old; use Basket'
        in text
    )
    assert 'use"' not in text  # cut between words
    assert "result = discount(60)\n    assert result == 5" in text
    unit = render([seen(case("60"), "5", lines=(1,), warned=("builtins", "UserWarning", "old"))], form="unittest")
    assert 'with self.assertWarnsRegex(UserWarning, "old"):' in unit


def test_an_attribute_of_a_module_is_read_as_one() -> None:
    source = "def __getattr__(name):\n    return name\n"
    (entry,) = list_functions(ast.parse(source), "shop/__init__.py", "shop")
    (asked,) = seed_cases(entry, [call("'OLD'")], 0, 8)
    ran = frozenset({("shop/pricing.py", 1)})
    text = render([msgspec.structs.replace(seen(asked, "'OLD'"), reached=ran)])
    assert "import shop\n" in text
    assert 'assert shop.OLD == "OLD"' in text


@pytest.mark.parametrize(
    ("style", "expected"),
    [
        ({"form": "class"}, "class TestDiscount:\n    def test_it(self):"),
        ({"form": "unittest"}, "self.assertEqual(discount(60), 5)"),
        ({"imports": "package"}, "from shop import pricing\n"),
        ({"imports": "module"}, "shop.pricing.discount(60)"),
    ],
)
def test_the_neighbours_style_is_kept(style: dict[str, object], expected: str) -> None:
    assert expected in render([seen(case("60"), "5", lines=(1,))], **style)


def test_the_style_is_read_from_the_nearest_test(tmp_path: Path) -> None:
    tree = write_tree(
        tmp_path,
        {
            "pyproject.toml": "[tool.ruff]\nline-length = 100\n",
            "tests/unit/test_pricing.py": "from shop import pricing\n\nclass TestX:\n    def test_a(self): ...\n",
            "tests/test_other.py": "def test_a(): ...\ndef test_b(): ...\n",
        },
    )
    style = read_style(Service(name="shop"), tree, "shop/pricing.py", "shop.pricing")
    assert style == Style(form="class", imports="package", folder="tests/unit", layout=Layout(line_length=100))


def test_only_files_that_the_suite_collects_are_neighbours(tmp_path: Path) -> None:
    tree = write_tree(
        tmp_path,
        {
            "tests/typed/test_pricing.py": "from shop.pricing import discount\n\ndef test_a(): ...\n",
            "tests/test_other.py": "def test_b(): ...\n",
        },
    )
    collected = frozenset({"tests/test_other.py"})
    style = read_style(Service(name="shop"), tree, "shop/pricing.py", "shop.pricing", collected)
    assert style.folder == "tests"


def test_no_file_of_anybody_is_overwritten(tmp_path: Path) -> None:
    style = Style(folder="tests")
    assert free_path(tmp_path, style, "shop.pricing") == "tests/test_pricing_generated.py"
    write_tree(tmp_path, {"tests/test_pricing_generated.py": ""})
    assert free_path(tmp_path, style, "shop.pricing") == "tests/test_pricing_generated_2.py"


def test_new_files_of_modules_with_the_same_last_name_do_not_take_each_others_place(tmp_path: Path) -> None:
    style, taken = Style(folder="tests"), ["tests/db/test_cart_generated.py"]
    assert free_path(tmp_path, style, "shop.views.cart", taken) == "tests/test_views_cart_generated.py"
    assert free_path(tmp_path, style, "shop.pricing", taken) == "tests/test_pricing_generated.py"
    taken += ["tests/test_views_cart_generated.py", "tests/test_cart_generated.py"]
    assert free_path(tmp_path, style, "other.views.cart", taken) == "tests/test_cart_generated_2.py"


@pytest.mark.parametrize(
    ("settings", "path"),
    [
        (
            {"pyproject.toml": '[tool.pytest.ini_options]\npython_files = "tests.py"\n'},
            "tests/pricing_generated/tests.py",
        ),
        ({"setup.cfg": "[tool:pytest]\npython_files = check_*.py other_*.py\n"}, "tests/check_pricing_generated.py"),
        ({"tox.ini": "[pytest]\npython_files =\n    tests.py\n    test_*.py\n"}, "tests/test_pricing_generated.py"),
        (
            {
                "pytest.ini": "[pytest]\naddopts = -q\n",
                "setup.cfg": "[tool:pytest]\npython_files = check_*.py\n",
            },
            "tests/test_pricing_generated.py",
        ),
        (
            {"pyproject.toml": "[tool.pytest.ini_options]\npython_files = ['*Test.py']\n"},
            "tests/pricing_generatedTest.py",
        ),
        ({"pyproject.toml": "[tool.pytest\npython_files = 3"}, "tests/test_pricing_generated.py"),
    ],
)
def test_a_new_file_has_a_name_that_the_projects_pytest_collects(
    tmp_path: Path, settings: dict[str, str], path: str
) -> None:
    assert free_path(write_tree(tmp_path, settings), Style(folder="tests"), "shop.pricing") == path


def test_what_the_command_says_of_test_files_goes_before_the_settings(tmp_path: Path) -> None:
    tree = write_tree(tmp_path, {"setup.cfg": "[tool:pytest]\npython_files = check_*.py\n"})
    command = "python -m pytest -q -o python_files='*_checks.py' tests"
    style = read_style(Service(name="shop", commands=Commands(test=command)), tree, "shop/pricing.py", "shop.pricing")
    assert free_path(tree, style, "shop.pricing") == "tests/pricing_generated_checks.py"


@pytest.mark.parametrize(
    ("classes", "form"), [("*Tests", "function"), ("test_*", "function"), ("Test", "class"), ("Test* Check*", "class")]
)
def test_where_classes_of_our_names_are_not_collected_functions_are_written(
    tmp_path: Path, classes: str, form: str
) -> None:
    tests = "from shop.pricing import price\n\nclass PriceTests:\n    def test_it(self):\n        assert price() == 1\n"
    files = {"tox.ini": f"[pytest]\npython_classes = {classes}\n", "tests/test_pricing.py": tests}
    tree = write_tree(tmp_path, files)
    assert read_style(Service(name="shop"), tree, "shop/pricing.py", "shop.pricing").form == form


def test_output_keeps_its_head_and_its_tail() -> None:
    output = BoundedOutput(10)
    for piece in (b"abc", b"defgh", b"x" * 1000, b"end"):
        output.add(piece)
    assert output.text().startswith("abcde")
    assert output.text().endswith("xxend")
    assert output.truncated
