"""What breaks callers of a Python library and what does not: one row a rule, on real little packages."""

from __future__ import annotations

import pytest

from greenlane.analyzers import worker
from greenlane.domain.findings import Severity

BASE = {
    "lib/__init__.py": "from ._hidden import Client, helper\nfrom .bare.app import App\n",
    "lib/_hidden.py": "class Client:\n    def get(self, url, *, timeout=1): ...\n"
    "def helper(x): ...\ndef inner(x): ...\n",
    "lib/bare/app.py": "class Root:\n    pass\nclass App(Root):\n    def run(self, **options): ...\n",
    "lib/m.py": '''import abc
import enum
from dataclasses import dataclass
from typing import NamedTuple, Protocol

__all__ = ["read", "Color", "Row", "Point", "Store", "Port", "Failed", "Thing", "many"]


def read(path: str | None, *rest, limit: int = 1, **options) -> str:
    return path or ""


def many(a, b=1, /, *args):
    return a


class Color(enum.Enum):
    RED = 1
    BLUE = 2


@dataclass
class Row:
    id: int


class Point(NamedTuple):
    x: int


class Store(abc.ABC):
    @abc.abstractmethod
    def load(self): ...
    def save(self): ...


class Port(Protocol):
    def send(self, x): ...


class Failed(KeyError):
    pass


class Thing:
    @property
    def name(self): ...
    @name.setter
    def name(self, value): ...
    @staticmethod
    def make(x): ...
    def close(self): ...
    def __repr__(self): ...
    def __len__(self): ...
    def _private(self, x): ...
''',
}  # fmt: skip


def breaks(make_review, path: str, old: str, new: str) -> list[str]:
    assert old in BASE[path]
    review = make_review(BASE, {**BASE, path: BASE[path].replace(old, new)}, deployed=False)
    result = worker.run("api", review)
    assert not result.skipped
    serious = [f for f in result.findings if f.severity is Severity.HIGH]
    assert all(f.path == path and f.line and f.quotation for f in serious), serious
    return sorted({f.rule.partition(".")[2] for f in serious})


@pytest.mark.parametrize(
    ("path", "old", "new", "rule"),
    [
        ("lib/_hidden.py", "url, *", "url, body, *", "parameter-added-required"),  # reached by the name handed on
        ("lib/_hidden.py", "def helper", "def helped", "object-removed"),
        ("lib/bare/app.py", "self, **", "self, *, port, **", "parameter-added-required"),  # no __init__.py, a base
        ("lib/__init__.py", "Client, helper", "Client", "object-removed"),
        ("lib/m.py", '"read", ', "", "export-removed"),
        ("lib/m.py", "def read", "async def read", "became-async"),
        ("lib/m.py", "limit: int = 1, **options", "limit: int = 1", "parameter-removed"),
        ("lib/m.py", "    @name.setter\n    def name(self, value): ...\n", "", "setter-removed"),
        ("lib/m.py", "    @property\n    def name(self): ...\n    @name.setter\n    def name(self, value): ...",
         "    def name(self): ...", "property-became-method"),
        ("lib/m.py", "    def close", "    @property\n    def close", "method-became-property"),
        ("lib/m.py", "    @staticmethod\n    def make(x)", "    def make(self, x)", "became-instance-method"),
        ("lib/m.py", "    BLUE = 2\n", "", "object-removed"),
        ("lib/m.py", "    id: int\n", "    id: int\n    name: str\n", "parameter-added-required"),
        ("lib/m.py", "    x: int\n", "    x: int\n    y: int\n", "field-required"),
        ("lib/m.py", "    def save", "    @abc.abstractmethod\n    def save", "abstract-added"),
        ("lib/m.py", "    def send(self, x): ...", "    def send(self, x): ...\n    def stop(self): ...",
         "protocol-member-added"),
        ("lib/m.py", "class Failed(KeyError)", "class Failed(LookupError)", "base-removed"),
        ("lib/m.py", "path: str | None, *rest, limit: int = 1, **options) -> str:\n    return path or \"\"",
         "path: str, *rest, limit: int = 1, **options) -> str:\n    return path", "parameter-narrowed"),
        ("lib/m.py", "-> str:\n    return path or \"\"", "-> str | None:\n    return path or None", "return-widened"),
        ("lib/m.py", "    def __len__(self): ...\n", "", "object-removed"),
    ],
)  # fmt: skip
def test_a_promise_that_is_not_kept_is_a_break(make_review, path, old, new, rule) -> None:
    assert rule in breaks(make_review, path, old, new)


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("lib/_hidden.py", "def inner(x)", "def inner(x, y)"),
        ("lib/bare/app.py", "self, **", "self, *, port=1, **"),
        ("lib/bare/app.py", "**options", "**kwargs"),
        ("lib/m.py", "def many(a, b=1, /, *args)", "def many(first, b=1, /, *values)"),
        ("lib/m.py", "def _private(self, x)", "def _private(self)"),
        ("lib/m.py", "    def __repr__(self): ...\n", ""),
        ("lib/m.py", "def close(self)", "def close(this)"),
        ("lib/m.py", "limit: int = 1, **options", "**options"),  # which still takes it
        ("lib/m.py", "-> str:", "-> str | None:"),  # the body is the same: the annotation was put right
        ("lib/m.py", "class Failed(KeyError)", "class Failed(KeyError, AttributeError)"),
        ("lib/m.py", "    RED = 1\n", "    RED = 1\n    GREEN = 3\n"),
        ("lib/m.py", "    id: int\n", "    id: int\n    name: str = ''\n"),
        ("lib/m.py", "    def save", "    def drop(self): ...\n    def save"),
        ("lib/m.py", "class Failed(KeyError):\n    pass", "class Base(KeyError): ...\nclass Failed(Base):\n    pass"),
    ],
)
def test_what_callers_cannot_notice_is_none(make_review, path, old, new) -> None:
    assert breaks(make_review, path, old, new) == []
