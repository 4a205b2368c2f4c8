"""What the statements of a test show: each expression that it asserts on, or call that it makes, with what was done
before. Pure; for `scripts.py`.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator, Sequence, Set

from greenlane.testgen.asserted import (
    asserted,
    asserts_alone,
    expected_names,
    own_look,
    printed,
    self_look,
    stand_in_looks,
    without_asserts,
)
from greenlane.testgen.checkers import is_written_out
from greenlane.testgen.fixed import sets_scene
from greenlane.testgen.opened import is_around
from greenlane.testgen.scenery import told_to_stand_ins
from greenlane.testgen.slicing import needed_by, unawaited
from greenlane.testgen.written import done_to_files

GOING_ON = ("contextlib", "suppress")
"""What a test goes on with after an error that it expects."""
INSIDE = "inside"
"""The name of what is looked at in a `with` block, after it."""


def looks_of(
    body: Sequence[ast.stmt],
    setup: list[ast.stmt],
    raising: Set[str] = frozenset(),
    around: Sequence[ast.stmt] = (),
) -> Iterator[tuple[ast.expr, list[ast.stmt]]]:
    """Expressions that a body asserts on, or calls, each with the statements before it; fills `setup`. `raising` are
    names that stand for an expected error; `around` is what was done before the block that the body is of."""
    for place, node in enumerate(body):
        expected = expected_names([*around, *setup])
        if isinstance(node, ast.Assert):
            shown = asserted(node.test, expected)
            yield shown, setup
            setup += done_to_files(shown, setup) or told_to_stand_ins(shown, body[place + 1 :])
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue
        elif isinstance(node, ast.Expr) and self_look(node.value) is not None:
            look = self_look(node.value, expected)
            if look is not None:
                yield look, setup
                setup += done_to_files(look, setup) or told_to_stand_ins(look, body[place + 1 :])
        elif isinstance(node, ast.Expr) and (told_by := stand_in_looks(node.value)):
            yield from ((look, setup) for look in told_by)
        elif isinstance(node, ast.With) and any(expects_error(item.context_expr, raising) for item in node.items):
            others = [item for item in node.items if not expects_error(item.context_expr, raising)]
            held = ast.copy_location(ast.With(items=others, body=node.body), node)
            yield from looks_of([held] if others else node.body, list(setup), raising, around)
            after = _gone_on_from(node, others)
            setup += [after] if after is not None else []
        else:
            if isinstance(node, ast.Try) and not is_around(node):  # and an assertion on the error, perhaps
                yield from looks_of(node.body, list(setup), raising, around)
            if isinstance(node, ast.With | ast.AsyncWith) or is_around(node):
                held_in = _looks_inside(node, [*around, *setup])
                yield from ((ast.Name(id=INSIDE, ctx=ast.Load()), [*setup, inside]) for inside in held_in)
            value = node.value if isinstance(node, ast.Expr | ast.Assign) else None
            told = not is_written_out(node) and not sets_scene(node) and not (value and expects_error(value, raising))
            if value is not None and isinstance(unawaited(value), ast.Call) and told:
                own = own_look(value, expected) if isinstance(node, ast.Expr) else None
                yield from [(own, setup)] if own is not None else []
                yield printed(value), setup
            cleaned = without_asserts(node)
            if cleaned is not None and not asserts_alone(node):
                setup.append(cleaned)


def _gone_on_from(node: ast.With, others: Sequence[ast.withitem]) -> ast.stmt | None:
    """A block that ends in an expected error, for what is looked at after it: `with suppress(ValueError): ...`."""
    calls = [item.context_expr for item in node.items if item not in others]
    kinds = [call.args[0] for call in calls if isinstance(call, ast.Call) and call.args]
    if len(kinds) != 1:
        return None
    cleaned = without_asserts(node)
    if not isinstance(cleaned, ast.With):
        return None
    quiet = ast.Call(func=ast.Name(id=GOING_ON[1], ctx=ast.Load()), args=kinds, keywords=[])
    block = ast.With(items=[ast.withitem(context_expr=quiet), *others], body=cleaned.body)
    return ast.fix_missing_locations(ast.copy_location(block, node))


def expects_error(node: ast.expr, named: Set[str] = frozenset()) -> bool:
    """`pytest.raises(...)`, or a name for it."""
    return "raises" in ast.unparse(node).lower() or (isinstance(node, ast.Name) and node.id in named)


def _looks_inside(node: ast.With | ast.AsyncWith | ast.Try, around: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """The same block for each look in it, with no more than that needs, and the look given a name; `around` is what
    was done before it."""
    for look, before in looks_of(node.body, [], around=around):
        stored = ast.Assign(targets=[ast.Name(id=INSIDE, ctx=ast.Store())], value=look)
        named = isinstance(look, ast.Name) and look.id == INSIDE  # by a block in this one
        made = copy.copy(node)
        made.body = [*needed_by(before, look, frozenset()), *([] if named else [stored])]
        yield ast.fix_missing_locations(made)
