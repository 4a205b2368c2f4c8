"""Something that a test holds was asked for what it does not know, gave nothing, and the code asks more of that: it
gets a stand-in that gives what the code does with it. Pure; for `search.py`.

class FakeShell:                                 phone = Phone(FakeShell())
    def run(self, words):                  ->    phone.shell.run = MagicMock(return_value=b'abc')
        if words == "id": return b"1"            phone.pictures()

class Phone:
    def pictures(self):
        return self.shell.run("ls *.png").decode().split()      'NoneType' object has no attribute 'decode'
"""

from __future__ import annotations

import ast
import copy
import itertools
import re
from collections.abc import Callable, Iterator, Sequence

import msgspec

from greenlane.suite.lines import UnreadableSourceError, parse_expression, parse_source
from greenlane.testgen.code import Function, FunctionNode
from greenlane.testgen.explore import Observed
from greenlane.testgen.inputs import MAX_STATEMENT, Case, Script, bound_by
from greenlane.testgen.replies import answers_to
from greenlane.testgen.shown import INSIDE
from greenlane.testgen.source import Source, open_functions
from greenlane.testgen.staged import as_script, before_and_call_of
from greenlane.testgen.targets import Targets
from greenlane.testgen.turns import in_turn

_CALLS, _ASKED, _ANSWERS, _MOST, _TEXTS, _SHORT = 6, 3, 3, 60, 3, 4
_HOME = "unittest.mock"
_NOTHING = re.compile(r"'?NoneType'?")
_TOLD_FIRST = ".call_args_list[0].args"
_GIVEN = re.compile(r"(?<=\(return_value=)(b?)'abc'(?=\))")
_NAMED = re.compile(r"'NoneType' object has no attribute '(\w+)'")


class _Answer(msgspec.Struct, frozen=True):
    """A method of what an object holds (`shell.run`), and how a stand-in for it is made."""

    way: str
    kind: str
    value: str

    @property
    def made(self) -> str:
        return f"{self.kind}(return_value={self.value})"


def unsaid(observed: Sequence[Observed], source: Source, left: Targets) -> list[Case]:
    """What crashed so in a function with something open, with the answers that the code asks for, and then with what
    the stand-in was told itself: who asks for what there is has mostly made it. Scripts and what is plainest first."""
    rows: dict[tuple[object, ...], list[Case]] = {("told",): [case for o in observed for case in _told_again(o)]}
    crashed = [o for o in observed if _got_nothing(o) and o.outcome.at is not None and o.outcome.at[0] == source.path]
    known = {function: node for _, function, node in open_functions(source, left)} if crashed else {}
    for function, node in known.items():
        inside = [o for o in crashed if o.outcome.at is not None and function.first < o.outcome.at[1] <= function.last]
        for line in sorted({o.outcome.at[1] for o in inside if o.outcome.at is not None}):
            near = [o for o in inside if o.outcome.at is not None and o.outcome.at[1] == line]
            near.sort(key=lambda o: o.case.plainness)
            for answer in _answers(node, line, near[0].outcome.message):
                made = (other for o in near for other in _answering(o.case, function, answer))
                rows[function, line, answer] = list(itertools.islice(made, _CALLS))
    found = {case.key: case for case in in_turn(rows.values())}
    return list(found.values())[:_MOST]


def _got_nothing(observed: Observed) -> bool:
    outcome = observed.outcome
    plain = outcome.kind == "raises" and not outcome.deliberate and outcome.error is not None
    named = plain and outcome.error in {("builtins", "AttributeError"), ("builtins", "TypeError")}
    return named and _NOTHING.search(outcome.message) is not None


# -------------------------------------------------------------- what gave nothing


def _answers(node: FunctionNode, line: int, message: str) -> Iterator[_Answer]:
    """What each method that this line uses the answer of could give."""
    awaited = {id(n.value) for n in ast.walk(node) if isinstance(n, ast.Await)}
    calls = {ast.unparse(call): call for call in _asked(node, line, message)}
    for call in itertools.islice(calls.values(), _ASKED):
        way = ast.unparse(call.func).removeprefix("self.")
        for value in answers_to(node, call)[:_ANSWERS]:
            yield _Answer(way, "AsyncMock" if id(call) in awaited else "MagicMock", value)


def _asked(node: FunctionNode, line: int, message: str) -> Iterator[ast.Call]:
    """The calls of methods of what the object holds whose answers this line uses: those first of which it asks what the
    error names."""
    parts = [n for n in ast.walk(node) if isinstance(n, ast.expr) and n.lineno <= line <= (n.end_lineno or n.lineno)]
    named = _NAMED.match(message)
    asked = [n.value for n in parts if named is not None and isinstance(n, ast.Attribute) and n.attr == named[1]]
    before = [n for n in ast.walk(node) if isinstance(n, ast.Assign) and n.lineno <= line]
    given = {t.id: n.value for n in before for t in n.targets if isinstance(t, ast.Name)}
    for part in asked if named is not None else parts:
        value: ast.expr | None = given.get(part.id) if isinstance(part, ast.Name) else part
        value = value.value if isinstance(value, ast.Await) else value
        if isinstance(value, ast.Call) and _is_held(value.func):
            yield value


def _is_held(func: ast.expr) -> bool:
    """Whether it is a method of something that `self` holds, by public names."""
    names = ast.unparse(func).split(".")
    return names[0] == "self" and len(names) > 2 and all(n.isidentifier() and not n.startswith("__") for n in names)


# -------------------------------------------------------------- the call


def _answering(case: Case, function: Function, answer: _Answer) -> Iterator[Case]:
    """The case with the stand-in put into its object, once that is made; also with a look at what it was given."""
    if case.script is None and case.receiver is not None:
        before, called = before_and_call_of(case.entry.holder, case)
        case = case.with_script(Script(imports=case.imports, setup=before, look=called))
    script = as_script(case)
    if function.owner is None or script.marks is not None or answer.made in script.text:
        return
    for number, text in enumerate((*script.setup, script.look)):
        placed = _placed(text, function, answer)
        if placed is None:
            continue
        changed, holder = placed
        texts = [*script.setup, script.look]
        texts[number : number + 1] = changed
        imports = script.imports | {(_HOME, answer.kind)}
        if all(len(one) <= MAX_STATEMENT for one in texts) and answer.kind not in _bound(script):
            made = msgspec.structs.replace(script, imports=imports, setup=tuple(texts[:-1]), look=texts[-1])
            yield case.with_script(made)
            last = () if texts[-1] == INSIDE else (texts[-1],)
            named = "await_args" if answer.kind == "AsyncMock" else "call_args"
            for look in (f".{named}.args", *([_TOLD_FIRST] if _GIVEN.search(answer.made) else [])):
                asked = msgspec.structs.replace(made, setup=(*made.setup, *last), look=f"{holder}.{answer.way}{look}")
                yield case.with_script(asked)
        return


def _told_again(observed: Observed) -> Iterator[Case]:
    """Where a stand-in for such a method was looked at, the call with what it was told first as its answer."""
    script, value = observed.case.script, observed.outcome.value
    if script is None or value is None or not script.look.endswith(_TOLD_FIRST) or observed.outcome.kind != "value":
        return
    texts = [n.value for n in ast.walk(parse_expression(value.text)) if isinstance(n, ast.Constant)]
    told = [text for text in texts if isinstance(text, str) and len(text) > _SHORT and text.isascii()]
    done, setup = (
        (INSIDE, script.setup) if f"{INSIDE} = " in script.setup[-1] else (script.setup[-1], script.setup[:-1])
    )
    for text in sorted(dict.fromkeys(told), key=lambda one: -len(one))[:_TEXTS]:
        given = [_GIVEN.sub(rf"\g<1>{_escaped(repr(text))}", one, count=1) for one in setup]
        yield observed.case.with_script(msgspec.structs.replace(script, setup=tuple(given), look=done))


def _bound(script: Script) -> set[str]:
    """What its imports bind otherwise."""
    return {bound_by(pair) for pair in script.imports if pair[0] != _HOME}


def _placed(text: str, function: Function, answer: _Answer) -> tuple[list[str], str] | None:
    """The statement with the stand-in before its first call of the method on something with a name, or after what makes
    an object of the class; and that name."""
    try:
        tree = copy.deepcopy(parse_source(text))
    except UnreadableSourceError:
        return None
    for find, after in ((lambda node: _called_on(node, function), 0), (lambda node: _made(node, function), 1)):
        place = _first(tree.body, find)
        if place is not None:
            body, number, holder = place
            body[number + after : number + after] = parse_source(f"{holder}.{answer.way} = {answer.made}").body
            return [ast.unparse(ast.fix_missing_locations(node)) for node in tree.body], holder
    return None


def _first(body: list[ast.stmt], find: Callable[[ast.stmt], str]) -> tuple[list[ast.stmt], int, str] | None:
    """The innermost block with a statement for which a name is found, its place, and the name."""
    for number, node in enumerate(body):
        blocks = [getattr(node, field, None) for field in ("body", "orelse", "finalbody")]
        inner = [block for block in blocks if isinstance(block, list) and block and isinstance(block[0], ast.stmt)]
        for block in inner if not isinstance(node, FunctionNode | ast.ClassDef) else ():
            found = _first(block, find)
            if found is not None:
                return found
        name = find(node) if not inner else ""
        if name:
            return body, number, name
    return None


def _called_on(node: ast.stmt, function: Function) -> str:
    called = [part.func for part in ast.walk(node) if isinstance(part, ast.Call)]
    holders = [f.value for f in called if isinstance(f, ast.Attribute) and f.attr == function.name]
    return next((one.id for one in holders if isinstance(one, ast.Name)), "")


def _made(node: ast.stmt, function: Function) -> str:
    target = node.targets[0] if isinstance(node, ast.Assign) and len(node.targets) == 1 else None
    value = node.value if isinstance(node, ast.Assign) else None
    if isinstance(target, ast.Name) and isinstance(value, ast.Call):
        return target.id if ast.unparse(value.func).split(".")[-1] == function.owner else ""
    return ""


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\")
