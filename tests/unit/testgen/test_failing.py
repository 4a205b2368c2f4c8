"""What a `try` calls fails, where its handler is open."""

from __future__ import annotations

import ast

from greenlane.testgen.code import list_functions
from greenlane.testgen.explore import Observed, Outcome
from greenlane.testgen.failing import failing
from greenlane.testgen.inputs import Case, Script
from greenlane.testgen.source import Source
from greenlane.testgen.targets import Gap

TEXT = """\
import errno
import os
from shop.errors import Lost, Net, tell

class Pipe:
    def load(self, path):
        try:
            return os.readlink(path)
        except OSError as error:
            if error.errno == errno.ENOENT:
                raise Lost(path)
            raise

    def fetch(self, url):
        try:
            return self.get(url)
        except (Net.Late, UnicodeDecodeError):
            return None
    def rows(self, text):
        try:
            import tables
            from lxml import etree
        except ImportError:
            raise Lost(text)
        try:
            return etree.XML(text)
        except ValueError as error:
            if error.args[0] == "no text":
                return None
            raise

    def send(self, text):
        try:
            return self.line.open.put(text)
        except Net:
            return None

def read(path):
    try:
        os.stat(path)
        with open(path) as file:
            return file.read()
    except OSError:
        return ""
    except SystemExit:
        return None

async def wait(line):
    try:
        return await tell(line)
    except Net:
        return None
"""
TREE = ast.parse(TEXT)
FUNCTIONS = list_functions(TREE, "shop/pipe.py", "shop.pipe")
SOURCE = Source(
    path="shop/pipe.py", module="shop.pipe", tree=TREE, gap=Gap(path="shop/pipe.py", lines=frozenset({11})), entries=(),
    functions=FUNCTIONS, constructors={},
)  # fmt: skip


def failed(look: str, ran: int, line: int, *setup: str, entry: int = 0, unittest: bool = False) -> list[Script]:
    script = Script(imports=frozenset({("shop.pipe", "Pipe")}), setup=setup, look=look)
    case = Case(
        entry=FUNCTIONS[entry], receiver=None, arguments=(), imports=frozenset(), fixtures=frozenset(), carved=True,
        script=script,
    )  # fmt: skip
    seen = Observed(case=case, outcome=Outcome(case=0, kind="value"), lines={"shop/pipe.py": frozenset({ran})})
    found = failing([seen], SOURCE, frozenset({("shop/pipe.py", line)}), unittest=unittest)
    return [one.script for one in found if one.script is not None]


def test_what_the_handler_asks_of_the_error_comes_first_and_then_a_plain_one() -> None:
    found = failed("Pipe().load('a')", 8, 11)
    assert [script.setup[0] for script in found] == [
        "monkeypatch.setattr('shop.pipe.os.readlink', MagicMock(side_effect=OSError(errno.ENOENT, 'abc')))",
        "monkeypatch.setattr('shop.pipe.os.readlink', MagicMock(side_effect=OSError('abc')))",
    ]
    assert ("errno", "") in found[0].imports


def test_a_method_fails_on_its_class_and_errors_are_named_as_the_module_names_them() -> None:
    found = failed("pipe.fetch('a')", 16, 18, "pipe = Pipe()")
    late, early = [script for script in found if "Net.Late('abc')" in script.text]
    patched = "monkeypatch.setattr('shop.pipe.Pipe.get', MagicMock(side_effect=Net.Late('abc')))"
    assert (late.setup, early.setup) == (("pipe = Pipe()", patched), (patched, "pipe = Pipe()"))
    assert ("shop.pipe", "Net") in late.imports
    assert any("UnicodeDecodeError('utf-8', b'abc', 0, 1, 'abc')" in script.text for script in found)


def test_what_is_imported_in_a_try_is_not_there_and_what_a_function_imports_fails_where_it_stands() -> None:
    texts = [script.setup[0] for script in failed("Pipe().rows('a')", 21, 24)]
    assert texts == [f"monkeypatch.setitem(sys.modules, '{name}', None)" for name in ("tables", "lxml")]
    texts = [script.setup[0] for script in failed("Pipe().rows('a')", 26, 29)]
    assert texts == [
        f"monkeypatch.setattr('lxml.etree.XML', MagicMock(side_effect=ValueError('{text}')))"
        for text in ("abc", "no text")
    ]


def test_what_the_object_holds_fails_after_the_object_was_made() -> None:
    (script,) = failed("pipe.send('a')", 34, 36, "pipe = Pipe()", "pipe.load('a')", entry=3)
    patched = "monkeypatch.setattr(pipe.line.open, 'put', MagicMock(side_effect=Net('abc')))"
    assert script.setup == ("pipe = Pipe()", "pipe.load('a')", patched)
    (script,) = failed("pipe.send('a')", 34, 36, "pipe = Pipe()", entry=3, unittest=True)
    patched = "with patch.object(pipe.line.open, 'put', side_effect=Net('abc')):"
    assert script.setup == ("pipe = Pipe()", f"{patched}\n    inside = pipe.send('a')")


def test_what_the_runner_asks_itself_never_fails_and_what_is_of_the_language_does_in_the_module_alone() -> None:
    (script,) = failed("read('a')", 40, 44)
    assert script.setup == (
        "monkeypatch.setattr('shop.pipe.open', MagicMock(side_effect=OSError('abc')), raising=False)",
    )
    (script,) = failed("read('a')", 40, 44, unittest=True)
    assert script.setup == (
        "with patch('shop.pipe.open', side_effect=OSError('abc'), create=True):\n    inside = read('a')",
    )


def test_an_error_that_ends_the_process_is_not_raised_and_what_came_to_no_call_is_left_alone() -> None:
    assert not failed("read('a')", 40, 46)
    assert not failed("read('a')", 9, 44)


def test_a_script_that_awaits_meets_the_failure_where_it_awaits() -> None:
    (script,) = failed("await wait(1)", 50, 52, entry=5)
    assert script.setup == ("monkeypatch.setattr('shop.pipe.tell', MagicMock(side_effect=Net('abc')))",)
    assert script.look == "await wait(1)"
