"""What a text of the code gives as an example is a value to try."""

from __future__ import annotations

import ast

from greenlane.testgen.code import list_functions
from greenlane.testgen.commandlines import with_flags
from greenlane.testgen.mentioned import mentioned_in

TEXT = """
def connect(proxy):
    '''Through a proxy, for example "user@home".'''
    if ":" not in proxy:
        raise ValueError(f"{proxy} must be host:port (e.g. 127.0.0.1:1080).")


def main(args):
    parser = ArgumentParser()
    parser.add_argument("--proxy", type=str, help="go through a proxy (e.g. localhost:8080)")
    return parser.parse_args(args)
"""
TREE = ast.parse(TEXT)


def test_examples_are_told_by_what_leads_to_them() -> None:
    assert mentioned_in("a date, e.g. 2020-01-31, or a word such as `often`") == ["often", "2020-01-31"]
    assert mentioned_in("e.g. when it rains, for example now") == []


def test_a_function_is_tried_with_the_examples_of_its_texts() -> None:
    connect, _ = list_functions(TREE, "shop.py", "shop")
    assert connect.constants[:3] == (":", "user@home", "127.0.0.1:1080")


def test_a_flag_is_given_the_example_of_its_help() -> None:
    _, main = with_flags(list_functions(TREE, "shop.py", "shop"), TREE, [])
    assert main.flags == (("--proxy", "localhost:8080"),)
