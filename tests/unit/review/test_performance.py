"""Performance findings: one case a rule, and beside it the same thing done well."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from greenlane.analyzers.base import ReviewInput
from greenlane.analyzers.worker import run

from .review_trees import diff_of, write_tree

CASES = {
    "query-in-loop": (
        """
        def totals(ids):
            return [Order.objects.filter(id=i).count() for i in ids]
        """,
        """
        def totals(ids):
            for attempt in range(3):
                Order.objects.filter(id__in=ids).count()
            for name in ("a", "b"):
                session.execute(name)
            for order in Order.objects.all():
                callbacks.append(lambda: Order.objects.get(id=1))
        """,
    ),
    "n-plus-one": (
        """
        def names():
            for order in Order.objects.filter(open=True):
                print(order.customer.name)
        """,
        """
        def names():
            for order in Order.objects.select_related("customer").filter(open=True):
                print(order.customer.name)
            for order in Order.objects.all():
                print(order.title.lower(), order.customer.pk, order.note)
        """,
    ),
    "blocking-in-async": (
        """
        from time import sleep as rest
        async def wait():
            rest(1)
        """,
        """
        import asyncio, time
        async def wait():
            await asyncio.sleep(1)
            def later():
                time.sleep(1)
            await asyncio.to_thread(later)
        def still():
            time.sleep(1)
        """,
    ),
    "unindexed-filter": (
        """
        from django.db import models
        class Order(models.Model):
            note = models.TextField()
        def find(text):
            return Order.objects.filter(note=text)
        """,
        """
        from django.db import models
        class Order(models.Model):
            note = models.TextField()
            code = models.CharField(max_length=9, db_index=True)
            day = models.DateField()
            class Meta:
                indexes = [models.Index(fields=["day"])]
        def find(text):
            return Order.objects.filter(code=text, note=text), Order.objects.filter(day=text), Other.objects.filter(x=1)
        """,
    ),
    "text-in-loop": (
        """
        def page(rows):
            out = ""
            for row in rows:
                out += row
            return out
        """,
        """
        def page(rows):
            total = 0
            for row in rows:
                total += row
            return "".join(str(r) for r in rows)
        """,
    ),
    "front-of-list": (
        """
        def turn(rows):
            queue = []
            for row in rows:
                queue.insert(0, row)
        """,
        """
        def turn(rows):
            queue = {}
            for row in rows:
                queue.pop(0, None)
        """,
    ),
    "search-in-list": (
        """
        def distinct(rows):
            seen = []
            for row in rows:
                if row not in seen:
                    seen.append(row)
        """,
        """
        def distinct(rows):
            seen = set()
            for row in rows:
                if row not in seen:
                    seen.add(row)
        """,
    ),
    "nested-scan": (
        """
        def pairs(rows):
            for a in rows:
                for b in rows:
                    meet(a, b)
        """,
        """
        def pairs(rows, others):
            for a in rows:
                for b in others:
                    meet(a, b)
        """,
    ),
}  # fmt: skip


def rules(tmp_path: Path, base: dict[str, str], head: dict[str, str]) -> set[str]:
    for name, tree in (("base", base), ("head", head)):
        write_tree(tmp_path / name, tree)
    review = ReviewInput(diff=diff_of(base, head), base_tree=str(tmp_path / "base"), head_tree=str(tmp_path / "head"))
    result = run("performance", review)
    assert result.skipped == ()
    return {f.rule.removeprefix("performance.") for f in result.findings}


@pytest.mark.parametrize("rule", CASES)
def test_a_rule_fires_on_its_case_and_not_on_the_same_done_well(tmp_path: Path, rule: str) -> None:
    bad, good = (dedent(text) for text in CASES[rule])
    base = {"shop/app.py": "x = 1\n"}
    assert rule in rules(tmp_path / "bad", base, {"shop/app.py": bad})
    assert rules(tmp_path / "good", base, {"shop/app.py": good}) == set()


def test_what_stood_before_is_not_brought_by_the_change(tmp_path: Path) -> None:
    bad = dedent(CASES["nested-scan"][0])
    assert rules(tmp_path, {"a.py": bad}, {"a.py": "import os\n\n" + bad}) == set()


def test_tests_and_migrations_may_be_slow(tmp_path: Path) -> None:
    bad = dedent(CASES["query-in-loop"][0])
    assert rules(tmp_path, {}, {"tests/test_a.py": bad, "shop/migrations/0002_fill.py": bad}) == set()
