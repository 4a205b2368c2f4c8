"""The process that one analyzer runs in: reads a `ReviewInput` from stdin, writes an `AnalysisResult` to stdout.

Started by `isolated.py`. Modules are imported by name, so that an analyzer pays for its own libraries only.
"""

from __future__ import annotations

import importlib
import os
import resource
import sys

import msgspec

from greenlane.analyzers.base import EVERYTHING, AnalysisResult, ReviewInput
from greenlane.domain.events import SkippedFile

ANALYZERS = {
    "reading": "greenlane.analyzers.reading",
    "security": "greenlane.analyzers.security",
    "secrets": "greenlane.analyzers.secrets",
    "api": "greenlane.analyzers.api",
    "schema": "greenlane.analyzers.schema",
    "integrations": "greenlane.analyzers.integrations",
    "infrastructure": "greenlane.analyzers.infrastructure",
    "guards": "greenlane.analyzers.guards",
    "scripts": "greenlane.analyzers.scripts",
}
MAX_MEMORY_BYTES = 4 << 30
"""Address space of a worker and its tools: thread stacks count, so it is far above what they use."""
MAX_FINDINGS = 2000
"""More findings of one analyzer help nobody; that there were more is said."""
_RECURSION = 6000
"""Room for visitors on trees of `files.MAX_DEPTH` levels, several frames a level."""


def run(name: str, review: ReviewInput) -> AnalysisResult:
    """The analyzer's result; its failure is a skipped analysis of everything."""
    try:
        result: AnalysisResult = importlib.import_module(ANALYZERS[name]).analyze(review)
    except Exception as error:  # whatever the content of a change provokes, it must not look like 'nothing found'
        text = f"it failed ({type(error).__name__}: {str(error)[:200]})"
        return AnalysisResult(skipped=(SkippedFile(path=EVERYTHING, analyzer=name, reason=text),))
    if len(result.findings) <= MAX_FINDINGS:
        return result
    more = SkippedFile(path=EVERYTHING, analyzer=name, reason=f"it has more than {MAX_FINDINGS} findings")
    return AnalysisResult(findings=result.findings[:MAX_FINDINGS], skipped=(*result.skipped, more))


def main() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.setrecursionlimit(_RECURSION)
    review = msgspec.json.decode(sys.stdin.buffer.read(), type=ReviewInput)
    answer = os.dup(1)
    os.dup2(2, 1)  # libraries that print must not spoil the answer
    result = run(sys.argv[1], review)
    with os.fdopen(answer, "wb") as out:
        out.write(msgspec.json.encode(result))


if __name__ == "__main__":
    main()
