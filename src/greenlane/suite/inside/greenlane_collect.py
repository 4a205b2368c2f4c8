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
    with contextlib.suppress(coverage.CoverageException):  # an old one has no contexts in its report
        measure.set_option("json:show_contexts", True)
    measure.json_report(outfile=f"{out}/coverage.json")
    with contextlib.suppress(Exception):  # lines are worth having without it
        write_arcs(measure.get_data(), f"{out}/arcs.json")


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
