"""Runs inside the sandbox after the suite: joins what its processes measured and writes it as JSON."""

import contextlib
import json
import os
import sys
from typing import Any

import coverage


def main(out: str) -> None:
    measure = coverage.Coverage(config_file=f"{out}/rc")
    measure.combine()
    data = measure.get_data()
    with open(f"{out}/coverage.json", "w", encoding="utf-8") as stream:  # noqa: PTH123 - plain and late
        json.dump({"files": {os.path.relpath(f): read_lines(measure, data, f) for f in data.measured_files()}}, stream)
    with contextlib.suppress(Exception):  # lines are worth having without it
        write_arcs(data, f"{out}/arcs.json")


def read_lines(measure: Any, data: Any, file: str) -> dict[str, Any]:
    """What the JSON report of coverage holds of one file. The report itself repeats the contexts for each function
    and class, which takes longer than the suite where a file is long and its tests are many."""
    try:
        _, statements, _, missing, _ = measure.analysis2(file)
    except coverage.CoverageException:  # no Python, or gone: what was seen to run is still known
        statements, missing = data.lines(file) or (), ()
    return {
        "executed_lines": sorted(set(statements) - set(missing)),
        "contexts": {str(line): tests for line, tests in data.contexts_by_lineno(file).items()},
    }


def write_arcs(data: Any, path: str) -> None:
    """`{file: [[from, to, [tests]], ...]}`, where branches were traced."""
    if not data.has_arcs():
        return
    found: dict[str, dict[tuple[int, int], list[str]]] = {}
    for context in data.measured_contexts():
        data.set_query_context(context)
        for file in data.measured_files():
            arcs = found.setdefault(os.path.relpath(file), {})
            for arc in data.arcs(file) or ():
                arcs.setdefault(tuple(arc), []).append(context)
    shown = {file: [[a, b, tests] for (a, b), tests in arcs.items()] for file, arcs in found.items()}
    with open(path, "w", encoding="utf-8") as stream:  # noqa: PTH123 - plain and late
        json.dump(shown, stream)


if __name__ == "__main__":
    main(sys.argv[1])
