"""Runs inside the sandbox after the suite: joins what its processes measured and writes it as JSON."""

import contextlib
import sys

import coverage


def main(out: str) -> None:
    measure = coverage.Coverage(config_file=f"{out}/rc")
    measure.combine()
    with contextlib.suppress(coverage.CoverageException):  # an old one has no contexts in its report
        measure.set_option("json:show_contexts", True)
    measure.json_report(outfile=f"{out}/coverage.json")


if __name__ == "__main__":
    main(sys.argv[1])
