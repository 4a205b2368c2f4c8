"""A request that nothing in a test answers gets an answer of it."""

from __future__ import annotations

import ast

import msgspec
import pytest

from greenlane.testgen.code import list_functions
from greenlane.testgen.explore import Observed, Outcome
from greenlane.testgen.inputs import Case, Script
from greenlane.testgen.source import Source
from greenlane.testgen.targets import Gap
from greenlane.testgen.unanswered import Request, reanswered, request_of

TEXT = """
def remove(session, number):
    reply = session.delete(f"https://api.example.com/pets/{number}")
    return reply.json()
"""
TREE = ast.parse(TEXT)
FUNCTIONS = list_functions(TREE, "shop.py", "shop")
URL = "https://api.example.com/pets/1"
ASKED = f"Connection refused by Responses - the call doesn't match any mock.\n\nRequest: \n- DELETE {URL}?a=b\n"


def observed(message: str, *setup: str) -> Observed:
    script = Script(imports=frozenset(), setup=setup, look="remove(session, 1)")
    case = Case(
        entry=FUNCTIONS[0], receiver=None, arguments=(), imports=frozenset(), fixtures=frozenset(), carved=True,
        script=script,
    )  # fmt: skip
    outcome = Outcome(case=0, kind="raises", error=("requests.exceptions", "ConnectionError"), message=message)
    return Observed(case=case, outcome=outcome, lines={"shop.py": frozenset({3})})


def scripts(message: str, *setup: str) -> list[tuple[str, ...]]:
    gap = Gap(path="shop.py", lines=frozenset({4}))
    source = Source(path="shop.py", module="shop", tree=TREE, gap=gap, entries=(), functions=FUNCTIONS, constructors={})
    found = reanswered([observed(message, *setup)], source, frozenset({("shop.py", 4)}))
    return [case.script.setup for case in found if case.script is not None]


@pytest.mark.parametrize(
    ("message", "request_"),
    [
        (ASKED, Request("DELETE", URL)),
        (f"No mock address: POST {URL}", Request("POST", URL)),
        (f"RESPX: <Request('GET', '{URL}')> not mocked!", Request("GET", URL)),
        ("HTTPSConnectionPool(host='a.example', port=443): Max retries exceeded with url: /b?c=1 (Caused by ...)",
         Request("", "https://a.example/b")),
        ("HTTPConnectionPool(host='a.example', port=8080): Max retries exceeded with url: /b",
         Request("", "http://a.example:8080/b")),
        ("no such pet", None),
    ],
)  # fmt: skip
def test_what_was_asked_for_stands_in_the_error(message: str, request_: Request | None) -> None:
    assert request_of(observed(message)) == request_


@pytest.mark.parametrize(
    ("told", "moved"),
    [
        ("responses.add(responses.GET, f'{BASE}/pets', json=[])", f"responses.add(responses.DELETE, '{URL}', json=[])"),
        ("m.get('https://api.example.com/pets', payload={})", f"m.delete('{URL}', payload={{}})"),
        (
            "httpretty.register_uri('GET', BASE + '/pets', body='')",
            f"httpretty.register_uri('DELETE', '{URL}', body='')",
        ),
        ("mocked.add(method='GET', url=BASE)", f"mocked.add(method='DELETE', url='{URL}')"),
    ],
)
def test_an_answer_is_moved_to_it_or_told_for_it_as_well(told: str, moved: str) -> None:
    assert scripts(ASKED, told) == [(moved,), (told, moved)]


def test_an_answer_in_a_block_is_moved_there() -> None:
    told = "with responses.mock:\n    responses.get('https://a.example/pets', json=[])\n    inside = remove(session, 1)"
    assert scripts(ASKED, told)[0] == (told.replace("get('https://a.example/pets'", f"delete('{URL}'"),)


@pytest.mark.parametrize("told", ["pets.append('/a')", "print(f'{BASE}')", "session.get(number)", "x = 1"])
def test_other_statements_stay(told: str) -> None:
    assert scripts(ASKED, told) == []


@pytest.mark.parametrize(
    ("told", "moved"),
    [
        ("answer(GET, '/pets')", "answer('DELETE', '/pets/1')"),
        ("seen = answer('/pets', {'a': 1})", "seen = answer('/pets/1', {'a': 1})"),
        ("answer(DELETE, '/pets/1')", None),
        ("answer(GET, '/owners')", None),
    ],
)
def test_a_helper_is_told_the_path_that_was_asked_for(told: str, moved: str | None) -> None:
    assert ((moved,) in scripts(ASKED, told)) == (moved is not None)


def test_an_error_of_the_code_itself_may_name_the_request() -> None:
    one = observed(f"Request failed: {ASKED}", "answer(GET, '/pets')")
    own = msgspec.structs.replace(one, outcome=msgspec.structs.replace(one.outcome, deliberate=True))
    gap = Gap(path="shop.py", lines=frozenset({4}))
    source = Source(path="shop.py", module="shop", tree=TREE, gap=gap, entries=(), functions=FUNCTIONS, constructors={})
    assert reanswered([own], source, frozenset({("shop.py", 4)}))
