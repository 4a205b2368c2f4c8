"""Runs inside the sandbox after the suite: joins what its processes measured and writes it as JSON.

Not by way of coverage's own report, which repeats the tests of a line for each function and class. Each test's name is
written once and then meant by its number: a large suite over a large file would fill hundreds of megabytes otherwise.
"""

import contextlib
import json
import os
import sqlite3
import sys
from typing import Any

import coverage

_ARCS = """
SELECT file.path, arc.fromno, arc.tono, context.context FROM arc
JOIN file ON file.id = arc.file_id JOIN context ON context.id = arc.context_id ORDER BY context.context, file.path
"""
"""As coverage describes its tables: https://coverage.readthedocs.io/en/latest/dbschema.html"""


def main(out: str) -> None:
    measure = coverage.Coverage(config_file=f"{out}/rc")
    measure.combine()
    data = measure.get_data()
    numbers: dict[str, int] = {}
    files = {os.path.relpath(file): read_lines(measure, data, file, numbers) for file in data.measured_files()}
    write(f"{out}/coverage.json", {"tests": list(numbers), "files": files})
    with contextlib.suppress(Exception):  # lines are worth having without it
        write_arcs(data, f"{out}/arcs.json")


def read_lines(measure: Any, data: Any, file: str, numbers: dict[str, int]) -> dict[str, Any]:
    """`{"executed": [line, ...], "tests": [[line, [number of a test, ...]], ...]}`"""
    try:
        _, statements, _, missing, _ = measure.analysis2(file)
    except coverage.CoverageException:  # no Python, or gone: what was seen to run is still known
        statements, missing = data.lines(file) or (), ()
    executed = sorted(set(statements) - set(missing))
    try:
        contexts = data.contexts_by_lineno(file)
    except AttributeError:  # an old one knows no contexts
        contexts = {}
    tests = [[line, [numbers.setdefault(name, len(numbers)) for name in names]] for line, names in contexts.items()]
    return {"executed": executed, "tests": tests}


def write_arcs(data: Any, path: str) -> None:
    """`{"tests": [name, ...], "files": {file: [[from, to, [number, ...]], ...]}}`, where branches were traced."""
    if not data.has_arcs():
        return
    found: dict[str, dict[tuple[int, int], list[int]]] = {}
    numbers: dict[str, int] = {}
    with contextlib.closing(sqlite3.connect(data.data_filename())) as rows:  # to ask for each test takes far longer
        for file, start, end, context in rows.execute(_ARCS):
            arcs = found.setdefault(os.path.relpath(file), {})
            arcs.setdefault((start, end), []).append(numbers.setdefault(context, len(numbers)))
    shown = {file: [[a, b, tests] for (a, b), tests in arcs.items()] for file, arcs in found.items()}
    write(path, {"tests": list(numbers), "files": shown})


def write(path: str, content: dict[str, Any]) -> None:
    with open(path, "w", encoding="utf-8") as stream:  # noqa: PTH123 - plain and late
        json.dump(content, stream, separators=(",", ":"))


if __name__ == "__main__":
    main(sys.argv[1])
