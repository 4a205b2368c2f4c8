"""Functions to give to code that calls them, or looks at how they are made. Pure. Called by `guesses.py`.

`getattr(func, "__wrapped__", None)` or `inspect.iscoroutinefunction(func)` tell kinds of callables apart: where code
asks for something that only some have, one that has it is worth a try.
"""

from __future__ import annotations

from collections.abc import Set

PLAIN = (
    "lambda value: value", "lambda value, *others: value", "lambda *values: len(values)", "lambda: 'a'", "bool", "str",
)  # fmt: skip
"""What a parameter may be given that is said, by its name or its annotation, to be called."""
NEEDS: dict[str, tuple[str, str]] = {
    "lru_cache": ("functools", "lru_cache"),
    "partial": ("functools", "partial"),
    "MethodType": ("types", "MethodType"),
    "asyncio": ("asyncio", ""),
}
"""What the expressions below import."""
_WRAPPED, _BOUND, _PARTIAL = "lru_cache(len)", "MethodType(len, 'abc')", "partial(len, 'abc')"
_CLOSURE, _CLASS, _COROUTINE, _GENERATOR = (
    "(lambda value: lambda: value)(len)",
    "int",
    "asyncio.sleep",
    "lambda: (yield)",
)
_SPLIT = "str.split"
"""It has a signature, and no code of its own."""
_ONLY_BY_PLACE, _ONLY_BY_NAME, _REST_BY_NAME, _OPTIONAL = (
    "lambda value, /, other: (value, other)",
    "lambda value, *, other=1: (value, other)",
    "lambda value, **others: (value, others)",
    "lambda value, other=1: (value, other)",
)
_HAVING = {
    "__wrapped__": _WRAPPED, "unwrap": _WRAPPED, "cache_info": _WRAPPED, "cache_clear": _WRAPPED,
    "__func__": _BOUND, "__self__": _BOUND, "ismethod": _BOUND, "MethodType": _BOUND,
    "__closure__": _CLOSURE, "__call__": _PARTIAL, "__name__": _PARTIAL, "__qualname__": _PARTIAL,
    "partial": _PARTIAL, "keywords": _PARTIAL, "isfunction": _PARTIAL, "isroutine": _PARTIAL,
    "isclass": _CLASS, "__mro__": _CLASS, "issubclass": _CLASS, "__bases__": _CLASS,
    "iscoroutinefunction": _COROUTINE, "isawaitable": _COROUTINE, "iscoroutine": _COROUTINE,
    "isgeneratorfunction": _GENERATOR, "isgenerator": _GENERATOR,
    "signature": _SPLIT, "getfullargspec": _OPTIONAL, "__defaults__": _OPTIONAL, "empty": _OPTIONAL,
    "POSITIONAL_ONLY": _ONLY_BY_PLACE, "co_posonlyargcount": _ONLY_BY_PLACE,
    "KEYWORD_ONLY": _ONLY_BY_NAME, "kwonlyargs": _ONLY_BY_NAME, "co_kwonlyargcount": _ONLY_BY_NAME,
    "__kwdefaults__": _ONLY_BY_NAME, "kwonlydefaults": _ONLY_BY_NAME,
    "VAR_KEYWORD": _REST_BY_NAME, "varkw": _REST_BY_NAME, "co_flags": _REST_BY_NAME,
    "VAR_POSITIONAL": PLAIN[1], "varargs": PLAIN[1],
}  # fmt: skip


def callables_for(asked: Set[str]) -> list[str]:
    """Expressions for a callable, those with what is asked for in the middle of plain ones."""
    special = [value for word, value in _HAVING.items() if word in asked]
    return list(dict.fromkeys([PLAIN[0], *special, *PLAIN[1:]]))


def is_guess(text: str) -> bool:
    """Whether an expression is one of those above."""
    return text in PLAIN or text in _HAVING.values()
