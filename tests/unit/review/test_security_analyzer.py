"""Security: danger is found with its place, harmless code is not, and nothing that an author writes silences it."""

from __future__ import annotations

import pytest

from greenlane.analyzers import worker
from greenlane.domain.findings import Severity

SERIOUS = (Severity.HIGH, Severity.CRITICAL)


def serious(review) -> list[tuple[str, str, int]]:
    result = worker.run("security", review)
    assert result.skipped == ()
    return [(f.rule, f.path, f.line) for f in result.findings if f.severity in SERIOUS]


DANGEROUS = {
    "f-string": "def f(c, q):\n    c.execute(f\"SELECT * FROM items WHERE name = '{q}'\")\n",
    "percent": "def f(c, q):\n    c.execute(\"SELECT * FROM items WHERE name = '%s'\" % q)\n",
    "format": 'def f(c, q):\n    c.execute("SELECT * FROM t WHERE x = {}".format(q))\n',
    "plus": 'def f(c, q):\n    c.execute("DELETE FROM t WHERE x = " + q)\n',
    "local name": 'def f(c, q):\n    sql = "SELECT * FROM t WHERE x = " + q\n    c.execute(sql)\n',
    "in steps": """
def f(c, q):
    sql = "SELECT * FROM t"
    sql += " WHERE x = '" + q + "'"
    c.execute(sql)
""",
    "helper": """
def build(q):
    return f"SELECT * FROM t WHERE x = '{q}'"

def f(c, q):
    c.execute(build(q))
""",
    "joined parts": """
def f(c, q):
    p = []
    p.append(f"x = '{q}'")
    c.execute("SELECT 1 FROM t WHERE " + " AND ".join(p))
""",
    "quoting helper where a value stands": """
def f(c, q):
    c.execute(f"SELECT * FROM t WHERE x = '{escape(q)}'")
""",
    "name in capitals": 'def f(c, TABLE):\n    c.execute(f"SELECT * FROM t WHERE x = {TABLE}")\n',
    "only returned": "def build(q):\n    return f\"SELECT * FROM t WHERE x = '{q}'\"\n",
    "shell": "import subprocess\n\ndef f(x):\n    subprocess.run('ls ' + x, shell=True)\n",
    "shell by keyword": "import subprocess\n\ndef f(x):\n    subprocess.run(args=x, shell=True)\n",
    "os.system": "import os\n\ndef f(x):\n    os.system('ls ' + x)\n",
    "eval": "def f(x):\n    return eval(x)\n",
    "yaml": "import yaml\n\ndef f(x):\n    return yaml.load(x)\n",
    "pickle": "import pickle\n\ndef f(x):\n    return pickle.loads(x)\n",
    "tls": "import requests\n\ndef f(u):\n    return requests.get(u, verify=False, timeout=3)\n",
    "weak token": "import random\n\ndef reset_token():\n    return str(random.random())\n",
    "flask debugger": "from flask import Flask\n\napp = Flask(__name__)\napp.run(debug=True)\n",
}


def test_danger_is_found_where_it_stands(make_review) -> None:
    head = {f"app/{name.replace(' ', '_')}.py": text for name, text in DANGEROUS.items()}
    found = serious(make_review({}, head))
    assert set(head) - {path for _, path, _ in found} == set()
    assert all(line > 0 for _, _, line in found)


HARMLESS = {
    "bound": 'def f(c, q):\n    c.execute("SELECT * FROM t WHERE x = ?", (q,))\n',
    "placeholders": """
def f(c, ids):
    marks = ", ".join("?" * len(ids))
    c.execute(f"SELECT * FROM t WHERE id IN ({marks})", ids)
""",
    "constant columns": 'COLUMNS = "id, name"\n\ndef f(c):\n    c.execute(f"SELECT {COLUMNS} FROM t")\n',
    "chosen order": """
ORDER = {"a": "id", "b": "name"}

def f(c, by):
    c.execute(f"SELECT * FROM t ORDER BY {ORDER[by]}")
""",
    "number": 'def f(c, n):\n    c.execute(f"SELECT * FROM t LIMIT {int(n)}")\n',
    "sentence": 'def f(a, b):\n    return f"Select {a} from {b} to go on"\n',
    "ssh": 'def f(ssh, x):\n    ssh.execute(f"uptime {x}")\n',
    "constant shell": "import subprocess\n\ndef f():\n    subprocess.run('make', shell=True)\n",
    "argument list": "import subprocess\n\ndef f(x):\n    subprocess.run(['git', 'log', x], check=True)\n",
    "assert": "def f(x):\n    assert x\n    return x\n",
    "jitter": "import random\n\ndef backoff(n):\n    return n + random.random()\n",
    "etag": "import hashlib\n\ndef etag(b):\n    return hashlib.md5(b).hexdigest()\n",
    "safe yaml": "import yaml\n\ndef f(x):\n    return yaml.safe_load(x)\n",
    "swallow": "def f(x):\n    try:\n        x()\n    except ValueError:\n        pass\n",
}


def test_harmless_code_is_let_through(make_review) -> None:
    head = {f"app/{name.replace(' ', '_')}.py": text for name, text in HARMLESS.items()}
    assert serious(make_review({}, head)) == []


VULNERABLE = "def f(c, q):\n    c.execute(f\"SELECT * FROM t WHERE x = '{q}'\")"


@pytest.mark.parametrize(
    "tree",
    [
        {"app/a.py": VULNERABLE + "  # noqa: S608  # nosec B608\n"},
        {"app/a.py": "# ruff: noqa\n# flake8: noqa\n# @generated\n" + VULNERABLE + "\n"},
        {
            "app/a.py": VULNERABLE + "\n",
            "pyproject.toml": '[tool.ruff]\nexclude = ["*"]\n[tool.bandit]\nexclude_dirs = ["app"]\n',
        },
        {"app/a.py": VULNERABLE + "\n", "ruff.toml": 'exclude = ["*"]\n', ".bandit": "[bandit]\nexclude: app\n"},
        {"app/.github.py": VULNERABLE + "\n"},
        {"app/CVS/a.py": VULNERABLE + "\n"},
        {"-app.py": VULNERABLE + "\n"},
        {"bin/tool": "#!/usr/bin/env python3\n" + VULNERABLE + "\n"},
        {"tests/helpers.py": VULNERABLE + "\n", "app/a.py": "from tests.helpers import f\n"},
        {"app/a.py": "\r" + VULNERABLE.replace("\n", "\r") + "\r"},
    ],
)
def test_nothing_that_an_author_writes_silences_a_finding(make_review, tree) -> None:
    assert serious(make_review({}, tree))


def test_a_suppression_on_the_line_is_mentioned(make_review) -> None:
    review = make_review({}, {"app/a.py": VULNERABLE + "  # nosec\n"})
    finding = next(f for f in worker.run("security", review).findings if f.severity in SERIOUS)
    assert "does not count" in finding.message


def test_what_stood_at_the_base_is_not_found_again_when_lines_move(make_review) -> None:
    base = {"app/a.py": VULNERABLE + "\n"}
    assert serious(make_review(base, {"app/a.py": "import os\n\n\nX = os.sep\n\n\n" + VULNERABLE + "\n"})) == []


def test_a_function_that_moves_to_another_file_is_information_only(make_review) -> None:
    review = make_review({"a.py": VULNERABLE + "\n", "b.py": "x = 1\n"}, {"a.py": "y = 1\n", "b.py": VULNERABLE + "\n"})
    result = worker.run("security", review)
    assert serious(review) == []
    assert ["moved" in f.message for f in result.findings] == [True]


def test_a_second_copy_of_an_old_danger_is_new(make_review) -> None:
    head = VULNERABLE + "\n\n\n" + VULNERABLE.replace("def f", "def g") + "\n"
    assert len(serious(make_review({"a.py": VULNERABLE + "\n"}, {"a.py": head}))) == 1


def test_an_old_statement_made_dangerous_is_new(make_review) -> None:
    """The line with the call stays as it is; what flows into it changes."""
    base = 'def f(c, q):\n    sql = "SELECT 1 FROM t"\n    c.execute(sql)\n'
    head = 'def f(c, q):\n    sql = "SELECT 1 FROM t WHERE x = " + q\n    c.execute(sql)\n'
    assert serious(make_review({"a.py": base}, {"a.py": head}))


def test_tests_count_less(make_review) -> None:
    assert serious(make_review({}, {"tests/test_a.py": VULNERABLE + "\n"})) == []


@pytest.mark.parametrize(
    ("after", "is_new"),
    [
        ("f\"SELECT a, b FROM t WHERE x = '{q}' LIMIT 5\"", False),
        ("f\"SELECT * FROM t WHERE x = '{request.args}'\"", True),
    ],
)
def test_an_edited_danger_is_new_only_if_something_new_flows_in(make_review, after, is_new) -> None:
    query = "f\"SELECT a, b, 5 FROM t WHERE x = '{q}' ORDER BY a LIMIT 9\""
    function = "def f(c, q, request):\n    c.execute({})\n"
    review = make_review({"a.py": function.format(query)}, {"a.py": function.format(after)})
    assert bool(serious(review)) is is_new
