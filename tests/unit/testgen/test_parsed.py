"""What reads a text says how it looks."""

from __future__ import annotations

import ast
import textwrap

from greenlane.testgen.code import Function, list_functions
from greenlane.testgen.guesses import guess_values
from greenlane.testgen.importers import offered_by
from greenlane.testgen.uses import told_by_uses


def function(text: str) -> Function:
    tree = ast.parse(textwrap.dedent(text))
    return told_by_uses(list_functions(tree, "shop.py", "shop"), tree)[0]


def test_a_text_looks_as_what_reads_it_wants_it_broken_last() -> None:
    read = function("""
        def read(text: str):
            return json.loads(text.strip())
    """)
    assert read.params[0].samples == ('\'{"a": 1, "b": [1, "c"]}\'', "'[1, 2]'", "'{'")
    assert guess_values(read.params[0], read)[0] == '\'{"a": 1, "b": [1, "c"]}\''


def test_a_stream_holds_such_a_text_also_where_its_name_is_bound_anew() -> None:
    read = function("""
        def read(data):
            if isinstance(data, TextIOBase):
                data = ElementTree.fromstring(data.read())
            return data
    """)
    assert read.params[0].samples[:2] == ("StringIO('<a b=\"1\"><c>d</c></a>')", "StringIO('<a/>')")
    named = function("""
        def read(file):
            text = file.read().decode()
            return yaml.safe_load(text)
    """)
    assert named.params[0].samples[1] == "StringIO('- a\\n- b: 1\\n')"


def test_what_is_given_the_stream_itself_reads_such_a_text_from_it() -> None:
    assert function("def read(file):\n    return ET.parse(file)").params[0].samples[1] == "StringIO('<a/>')"
    binary = function("def read(file: BinaryIO):\n    return json.load(file)")
    assert binary.params[0].samples[1] == "BytesIO(b'[1, 2]')"
    assert function("def read(file: Path):\n    return ET.parse(file)").params[0].samples == ()


def test_bytes_are_written_as_bytes_and_a_time_in_its_form() -> None:
    assert function("def read(raw: bytes):\n    return json.loads(raw)").params[0].samples[2] == "b'{'"
    when = function("def when(text):\n    return datetime.strptime(text, '%d.%m.%Y')")
    assert when.params[0].samples == ("'31.01.2020'",)


def test_what_a_class_keeps_looks_as_its_methods_read_it() -> None:
    tree = ast.parse(
        textwrap.dedent("""
            class Page:
                def __init__(self, address, body=""):
                    self.body = body
                    self.parts = urlsplit(address)

                def words(self):
                    return shlex.split(self.body)
        """)
    )
    address, body = offered_by(list_functions(tree, "shop.py", "shop"), tree)["Page"]
    assert address.samples == ("'https://user@example.com:80/a?b=1#c'", "'/a'")
    assert body.samples[0] == "\"a --b 'c d'\""


def test_of_another_module_nothing_is_told() -> None:
    assert function("def read(text):\n    return pickle.loads(text)").params[0].samples == ()
