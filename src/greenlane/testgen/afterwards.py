"""What a call leaves behind that gives nothing itself, told by what tests ask such an object. Pure; for `search.py`.

expr.become(string("a"))        ->       expr.become(string("a"))
                                         expr.parse("a")

And by what the code asks its object in its conditions, or sets there: `while self.running.is_set():` asks for a look at
`worker.running.is_set()` after `worker.work()`, `self.rows[name] = row` for one at `shop.rows`.
"""

from __future__ import annotations

import ast
import builtins
import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence, Set

import msgspec

from greenlane.suite.lines import parse_source
from greenlane.testgen.choose import is_silent, taste
from greenlane.testgen.code import Function, FunctionNode
from greenlane.testgen.exchanged import Exchanging, is_read
from greenlane.testgen.explore import Observed
from greenlane.testgen.inputs import Case, Import, Script, bound_by
from greenlane.testgen.likewise import calls_in
from greenlane.testgen.patched import root_of
from greenlane.testgen.siblings import bases_of, family_of
from greenlane.testgen.source import Source, open_functions
from greenlane.testgen.staged import before_and_call_of
from greenlane.testgen.targets import Targets
from greenlane.testgen.turns import in_turn

_ATTRIBUTES = re.compile(r"(?:\.\w+)+(?:\(\))?")
_SILENT, _QUESTIONS, _OWN, _MOST, _LONGEST = 4, 8, 4, 120, 120


class Question(msgspec.Struct, frozen=True):
    """What is asked of an object: `.parse('a')`, with what it imports."""

    text: str
    imports: frozenset[Import] = frozenset()


def afterwards(observed: Sequence[Observed], source: Source, left: Targets, scripts: Iterable[Script]) -> list[Case]:
    """What ran an open line and shows nothing, with a question to its object after it: those of these scripts to
    methods of its class, of those that it inherits from, and of those that inherit from it."""
    scripts = list(scripts)
    asked: dict[str, list[Question]] = {}
    rows: dict[str, list[Case]] = {}
    for line, function, node in open_functions(source, left):
        if function.owner is None or function.kind != "method":
            continue
        if function.owner not in asked:
            asked[function.owner] = questions_of(scripts, _giving(source, function.owner))
        near = [o for o in observed if line in o.lines.get(source.path, frozenset()) and is_silent(o)]
        near.sort(key=taste, reverse=True)
        for one in near[:_SILENT]:
            questions = (*asked[function.owner], *_asked_itself(node, one.case))
            made = (_with_question(one.case, question, function) for question in questions)
            rows[one.case.key] = [case for case in made if case is not None]
    found = {case.key: case for case in in_turn(rows.values())}
    return list(found.values())[:_MOST]


def _giving(source: Source, owner: str) -> frozenset[str]:
    """The methods of such objects that give something."""
    owners = {*family_of(source.tree, owner), *bases_of(source.tree, owner)}
    plain = (f for f in source.functions if f.owner in owners and f.kind == "method" and not f.asynchronous)
    return frozenset(f.name for f in plain if f.returns_value and not f.name.startswith("_"))


def _asked_itself(node: FunctionNode, case: Case) -> list[Question]:
    """What a method sets of `self`, and what its conditions ask of it without anything given, but what the case sets
    there itself; of what is private that which the case names itself."""
    tests = [part.test for part in ast.walk(node) if isinstance(part, ast.If | ast.While | ast.IfExp | ast.Assert)]
    own = node.args.args[0].arg if node.args.args else ""
    stored = [part for part in ast.walk(node) if isinstance(part, ast.Attribute | ast.Subscript) and not is_read(part)]
    asked = [part.value if isinstance(part, ast.Subscript) else part for part in stored]
    parts = [part for test in tests for part in ast.walk(test) if isinstance(part, ast.Call | ast.Attribute)]
    within = [part.func if isinstance(part, ast.Call) else part.value for part in parts]
    asked += [part for part in parts if part not in within]
    found: dict[str, None] = {}
    for part in asked:
        called = part.func if isinstance(part, ast.Call) and not part.args and not part.keywords else part
        if isinstance(called, ast.Attribute) and root_of(called) == own:
            text = ast.unparse(part).removeprefix(own)
            hidden = [name for name in re.findall(r"\.(_\w+)", text) if f".{name}" not in "\n".join(case.texts)]
            told = any(re.search(rf"\.{text.split('.')[1]}\b[\w.]* = ", one) for one in case.texts)
            found |= {} if hidden or told or not _ATTRIBUTES.fullmatch(text) else {text: None}
    return [Question(text) for text in list(found)[:_OWN]]


def questions_of(scripts: Iterable[Script], names: Set[str]) -> list[Question]:
    """What these scripts ask methods of these names, the usual first, one of each method before a second; only with
    what means the same anywhere."""
    counts: Counter[Question] = Counter()
    for script in scripts:
        known = {bound_by(pair): pair for pair in script.imports}
        for text in (*script.setup, script.look):
            for call in calls_in(text):
                func = call.func
                if not isinstance(func, ast.Attribute) or func.attr not in names:
                    continue
                free = {n.id for part in _given(call) for n in ast.walk(part) if isinstance(n, ast.Name)}
                shown = ast.unparse(call)[len(ast.unparse(func.value)) :]
                if len(shown) <= _LONGEST and all(name in known or hasattr(builtins, name) for name in free):
                    counts[Question(shown, frozenset(known[name] for name in free if name in known))] += 1
    by_method: dict[str, list[Question]] = {}
    for question, _ in counts.most_common():
        by_method.setdefault(question.text.partition("(")[0], []).append(question)
    return list(itertools.islice(in_turn(by_method.values()), _QUESTIONS))


def _given(call: ast.Call) -> Iterator[ast.expr]:
    yield from (*call.args, *(keyword.value for keyword in call.keywords))


def _with_question(case: Case, question: Question, function: Function) -> Case | None:
    """None where the object has no name that can be asked."""
    script = case.script
    if script is None:
        if case.receiver is None or case.entry != function or function.owner is None:
            return None
        holder = function.owner.strip("_").lower()
        setup, called = before_and_call_of(holder, case)
        imports = case.imports
    else:
        last = parse_source(script.look).body[0]
        call = last.value if isinstance(last, ast.Expr) else None
        func = call.func if isinstance(call, ast.Call) else None
        if not isinstance(func, ast.Attribute) or script.marks is not None:
            return None
        setup, called, imports = script.setup, script.look, script.imports
        if isinstance(func.value, ast.Name):
            holder = func.value.id
        elif isinstance(func.value, ast.Call) and (function.owner or "").lower() not in script.text:
            holder = (function.owner or "").strip("_").lower()
            setup = (*setup, f"{holder} = {ast.unparse(func.value)}")
            named = ast.Attribute(value=ast.Name(id=holder, ctx=ast.Load()), attr=func.attr, ctx=ast.Load())
            called = ast.unparse(Exchanging(func, named).visit(last))
        else:
            return None
    made = Script(imports=imports | question.imports, setup=(*setup, called), look=f"{holder}{question.text}")
    return case.with_script(made)
