"""Brings the database up to date: `python -m shop.migrate --data ./data` applies each new file of migrations/."""

from __future__ import annotations

import argparse
from pathlib import Path

from shop.database import connect

MIGRATIONS = Path(__file__).parent.parent / "migrations"


def migrate(data: Path, folder: Path = MIGRATIONS) -> list[str]:
    """Apply what was not applied yet, each file in a transaction of its own; the names of these files."""
    data.mkdir(parents=True, exist_ok=True)
    db = connect(data)
    applied = []
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("CREATE TABLE IF NOT EXISTS migrations (name TEXT PRIMARY KEY)")
        for file in sorted(folder.glob("*.sql")):
            db.execute("BEGIN IMMEDIATE")
            if db.execute("SELECT 1 FROM migrations WHERE name = ?", [file.name]).fetchone():
                db.rollback()
                continue
            for statement in file.read_text(encoding="utf-8").split(";\n"):
                db.execute(statement)
            db.execute("INSERT INTO migrations (name) VALUES (?)", [file.name])
            db.commit()
            applied.append(file.name)
    finally:
        db.close()
    return applied


def main() -> None:
    parser = argparse.ArgumentParser(prog="shop.migrate", description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("data"))
    for name in migrate(parser.parse_args().data):
        print("applied", name)


if __name__ == "__main__":
    main()
