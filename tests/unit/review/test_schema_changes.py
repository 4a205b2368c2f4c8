"""Models without a migration, and operations that lock a table, each with what to do instead."""

from __future__ import annotations

import pytest

from greenlane.analyzers import worker
from greenlane.domain.findings import Severity

DJANGO = {
    "shop/migrations/0001_initial.py": "x = 1\n",
    "shop/models.py": """from django.db import models


class Item(models.Model):
    name = models.CharField("the name", max_length=10)
    owner = models.ForeignKey("auth.User", on_delete=models.CASCADE)
    note = models.TextField(blank=True)

    class Meta:
        ordering = ["name"]


class Note(BaseModel):
    text: str = Field()
""",
}
ALEMBIC = {
    "db/env.py": "x = 1\n",
    "db/versions/1_initial.py": "x = 1\n",
    "app/tables.py": """import sqlalchemy as sa


class Item(Base):
    __tablename__ = "item"
    id = sa.Column(sa.Integer, primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(10), default="x")
    tags = relationship("Tag")


tags = sa.Table("tags", meta, sa.Column("id", sa.Integer))
""",
}


def orphans(make_review, base: dict[str, str], head: dict[str, str]) -> list[str]:
    result = worker.run("schema", make_review(base, head))
    found = [f for f in result.findings if f.rule == "schema.model-without-migration"]
    assert all(f.line and f.quotation for f in found), found
    return [f.message.partition(",")[0] for f in found]


@pytest.mark.parametrize(
    ("tree", "old", "new", "told"),
    [
        (DJANGO, "max_length=10", "max_length=20", ["Item.name was altered"]),
        (DJANGO, "    note = models.TextField(blank=True)\n", "", ["Item.note was removed"]),
        (DJANGO, "    note =", "    size = models.IntegerField(null=True)\n    note =", ["Item.size was added"]),
        (DJANGO, '"auth.User"', '"auth.Group"', ["Item.owner was altered"]),
        (DJANGO, "ordering = ", "unique_together = ", ["Item was altered"]),
        (DJANGO, "class Note(BaseModel):", "class Tag(models.Model):\n    pass\n\n\nclass Note(BaseModel):",
         ["Tag was added"]),
        (DJANGO, "class Note(BaseModel):\n    text: str", "class ItemForm(forms.ModelForm):\n    text", []),
        (DJANGO, "class Note(BaseModel):\n    text: str", "class Mixin:\n    text", []),
        (DJANGO, "blank=True", "help_text='x', null=False, default=''", []),
        (DJANGO, '"auth.User", on', "to=User, related_name='x', on", []),
        (DJANGO, "text: str = Field()", "text: int = Field()", []),
        (DJANGO, '["name"]', '["-name"]', []),
        (ALEMBIC, "String(10)", "String(20)", ["Item.name was altered"]),
        (ALEMBIC, "Mapped[str]", "Mapped[str | None]", ["Item.name was altered"]),
        (ALEMBIC, "sa.Integer))", "sa.Integer), sa.Column('x', sa.Integer))", ["'tags'.'x' was added"]),
        (ALEMBIC, "    tags = rel", "    size = sa.Column(sa.Integer)\n    tags = rel", ["Item.size was added"]),
        (ALEMBIC, 'default="x"', 'default="y", comment="z"', []),
        (ALEMBIC, 'relationship("Tag")', 'relationship("Label")', []),
        (ALEMBIC, "sa.Column(sa.Integer, primary_key=True)", "Column(Integer, nullable=True, primary_key=True)", []),
    ],
)  # fmt: skip
def test_a_model_that_changes_its_table_needs_a_migration(make_review, tree, old, new, told) -> None:
    path = next(p for p, text in tree.items() if old in text)
    head = {**tree, path: tree[path].replace(old, new)}
    assert orphans(make_review, tree, head) == told
    migration = next(p for p in tree if "0001" in p or "versions" in p).replace("1_initial", "2_more")
    assert orphans(make_review, tree, {**head, migration: "x = 2\n"}) == []


def test_a_model_without_any_migrations_is_left_alone(make_review) -> None:
    base = {"shop/models.py": DJANGO["shop/models.py"], "app/tables.py": ALEMBIC["app/tables.py"]}
    head = {path: text.replace("10", "20") for path, text in base.items()}
    assert orphans(make_review, base, head) == []


UP = "from alembic import op\n\n\ndef upgrade():\n    {}\n"
ADD = "op = [migrations.RunSQL('{}', reverse_sql='DROP TABLE t')]\n"


@pytest.mark.parametrize(
    ("path", "text", "severity", "instead"),
    [
        ("migrations/2.sql", "CREATE INDEX i ON t (a);", "medium", "CONCURRENTLY"),
        ("migrations/2.sql", "CREATE INDEX CONCURRENTLY i ON t (a);", "low", ""),
        ("migrations/2.sql", "CREATE TABLE t (a int); CREATE INDEX i ON t (a);", "low", ""),
        ("migrations/2.sql", "ALTER TABLE t ALTER COLUMN a SET NOT NULL;", "medium", "NOT VALID"),
        ("migrations/2.sql", "ALTER TABLE t ADD CONSTRAINT c FOREIGN KEY (a) REFERENCES u (b);", "medium", "NOT VALID"),
        ("migrations/2.sql", "ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID;", "low", ""),
        ("migrations/2.sql", "ALTER TABLE t ADD CONSTRAINT c UNIQUE (a);", "medium", "USING INDEX"),
        ("migrations/2.sql", "ALTER TABLE t ALTER COLUMN a TYPE bigint;", "medium", "new column"),
        ("migrations/2.sql", "ALTER TABLE t ADD COLUMN a uuid DEFAULT gen_random_uuid();", "medium", "fill it"),
        ("migrations/2.sql", "UPDATE t SET a = 1;", "medium", "batches"),
        ("migrations/2.sql", "UPDATE t SET a = 1 WHERE b = 2;", "low", ""),
        ("migrations/2.sql", "CREATE TEMP TABLE x (a int); DROP TABLE x;", "low", ""),
        ("migrations/2.sql", "DROP VIEW v; CREATE VIEW v AS SELECT 1;", "low", ""),
        ("migrations/2.sql", "DROP VIEW v;", "high", ""),
        ("migrations/2.sql", "ALTER INDEX i RENAME TO j;", "low", ""),
        ("migrations/2.sql", "ALTER TABLE t RENAME CONSTRAINT a TO b;", "low", ""),
        ("migrations/2.sql", "ALTER TABLE t CHANGE a b INT;", "high", ""),
        ("migrations/2.sql", "ALTER TABLE t ADD KEY i (a);", "medium", ""),
        ("migrations/2.sql", "ALTER TABLE t DISABLE ROW LEVEL SECURITY;", "high", ""),
        ("migrations/2.sql", "GRANT ALL ON t TO PUBLIC;", "high", ""),
        ("migrations/2.sql", "REVOKE SELECT ON t FROM app;", "medium", ""),
        ("migrations/2.sql", "DROP INDEX CONCURRENTLY i;", "low", ""),
        ("migrations/2.sql", "REFRESH MATERIALIZED VIEW v;", "medium", ""),
        ("migrations/2.sql", "INSERT INTO t VALUES ('x; DROP TABLE t;');", "low", ""),
        ("migrations/2.sql", "CREATE FUNCTION f() RETURNS trigger AS $$ BEGIN DELETE FROM t; END $$ LANGUAGE plpgsql;",
         "low", ""),
        ("migrations/2.sql", "CREATE TRIGGER g AFTER INSERT ON t BEGIN DELETE FROM u; END;", "low", ""),
        ("migrations/2.sql", "DO $$ BEGIN IF true THEN ALTER TABLE t DROP COLUMN a; END IF; END $$;", "high", ""),
        ("migrations/2.sql", "/*!40000 DROP TABLE t */;", "high", ""),
        ("migrations/2.down.sql", "DROP TABLE t;", "low", ""),
        ("db/V2__x.sql", "VACUUM FULL t;", "medium", ""),
        ("shop/delta/88/01_x.sql", "INSERT INTO jobs VALUES ('x');", "low", ""),
        ("shop/migrations/0002_x.py", "x = [migrations.AddIndex('item', i)]\n", "medium", "AddIndexConcurrently"),
        ("shop/migrations/0002_x.py", "x = [AddIndexConcurrently('item', i)]\n", "low", ""),
        ("shop/migrations/0002_x.py",
         "x = [migrations.CreateModel('Item'), migrations.AddIndex('item', i)]\n", "low", ""),
        ("shop/migrations/0002_x.py", ADD.format("CREATE INDEX CONCURRENTLY i ON t (a)"), "low", ""),
        ("shop/migrations/0002_x.py", "x = [migrations.RunSQL(load())]\n", "medium", ""),
        ("shop/migrations/0002_x.py", "x = [migrations.RunSQL([('ALTER TABLE t DROP COLUMN a', None)])]\n", "high", ""),
        ("shop/migrations/0002_x.py", "x = [migrations.RunPython(migrations.RunPython.noop, back)]\n", "low", ""),
        ("shop/migrations/0002_x.py", "x = [migrations.AlterModelOptions('item', options={})]\n", "low", ""),
        ("shop/migrations/0002_x.py",
         "x = [migrations.SeparateDatabaseAndState(state_operations=[migrations.DeleteModel('Item')])]\n", "low", ""),
        ("shop/migrations/0002_x.py",
         "from django.db import migrations as m\nx = [m.RemoveField('item', 'a')]\n", "high", "out of the code"),
        ("shop/migrations/0002_x.py",
         "from django.db.migrations import RemoveField\nx = [RemoveField('item', 'a')]\n", "high", "out of the code"),
        ("shop/migrations/0002_x.py",
         "x = [migrations.AddField('item', 'a', models.IntegerField(default=1))]\n", "medium", "db_default"),
        ("shop/migrations/0002_x.py",
         "x = [migrations.AddField('item', 'a', models.IntegerField(db_default=1))]\n", "low", ""),
        ("shop/migrations/0002_x.py",
         "x = [migrations.AddField('item', 'a', models.IntegerField(null=True, unique=True))]\n",
         "medium", "USING INDEX"),
        ("alembic/versions/2.py", UP.format("op.create_index('i', 't', ['a'])"), "medium", "postgresql_concurrently"),
        ("alembic/versions/2.py", UP.format("op.create_index('i', 't', postgresql_concurrently=True)"), "low", ""),
        ("alembic/versions/2.py",
         UP.format("op.create_foreign_key('f', 't', 'u', ['a'], ['b'])"), "medium", "not_valid"),
        ("alembic/versions/2.py", UP.format("op.alter_column('t', 'a', nullable=False)"), "medium", "NOT VALID"),
        ("alembic/versions/2.py", UP.format("op.alter_column('t', 'a', new_column_name='b')"), "high", "beside it"),
        ("alembic/versions/2.py",
         UP.format("with op.batch_alter_table('t') as b:\n        b.drop_column('a')"), "high", "out of the code"),
        ("alembic/versions/2.py", UP.format("op.execute('UPDATE t SET a = 1')"), "medium", "batches"),
        ("alembic/versions/2.py",
         UP.format("op.alter_column('t', 'a', existing_type=sa.String(3), type_=sa.String(9))"), "low", ""),
        ("alembic/versions/2.py",
         UP.format("op.alter_column('t', 'a', existing_type=sa.String(9), type_=sa.String(3))"), "medium", "beside it"),
        ("alembic/versions/2.py",
         UP.format("op.add_column('t', sa.Column('a', sa.Integer, sa.ForeignKey('u.id')))"), "medium", "of its own"),
        ("alembic/versions/2.py",
         UP.format("op.add_column('t', sa.Column('a', sa.UUID, server_default=sa.text('gen_random_uuid()')))"),
         "medium", "fill it"),
        ("alembic/versions/2.py", UP.format("more()") + "\n\ndef more():\n    op.drop_table('t')\n", "high", "out of"),
        ("alembic/versions/2.py", UP.format("pass") + "\n\ndef downgrade():\n    op.drop_table('t')\n", "low", ""),
        ("alembic/versions/2.py", "from alembic import op as o\n\n\ndef upgrade():\n    o.drop_table('t')\n",
         "high", "out of"),
    ],
)  # fmt: skip
def test_what_locks_a_table_says_what_to_do_instead(make_review, path, text, severity, instead) -> None:
    findings = worker.run("schema", make_review({}, {path: text})).findings
    worst = max(findings, key=lambda f: list(Severity).index(f.severity))
    assert worst.severity == severity, findings
    assert (instead in worst.message) if instead else ("Instead" not in worst.message), worst.message


FIRST = """from django.db import migrations, models
x = [migrations.CreateModel(name="Item", fields=[
    ("a", models.CharField(max_length=10)),
    ("n", models.IntegerField(null=True)),
])]
"""


@pytest.mark.parametrize(
    ("field", "altered", "severity"),
    [
        ("a", "models.CharField(max_length=10, help_text='x', choices=C)", "low"),
        ("a", "models.CharField(max_length=20)", "low"),
        ("a", "models.CharField(max_length=10, null=True)", "low"),
        ("a", "models.CharField(max_length=5)", "medium"),
        ("a", "models.CharField(max_length=10, unique=True)", "medium"),
        ("a", "models.IntegerField()", "medium"),
        ("n", "models.IntegerField()", "medium"),
        ("unknown", "models.IntegerField()", "medium"),
    ],
)
def test_an_altered_field_is_judged_by_what_it_was_before(make_review, field, altered, severity) -> None:
    base = {"shop/migrations/0001_initial.py": FIRST}
    text = f"x = [migrations.AlterField('item', '{field}', {altered})]\n"
    (finding,) = worker.run("schema", make_review(base, {**base, "shop/migrations/0002_x.py": text})).findings
    assert finding.severity == severity, finding
