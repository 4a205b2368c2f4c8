"""Errors in a service's log, grouped by kind. Pure: text in, groups out. Called when an incident is reported.

Stack traces of Python, JavaScript, Java and Go are read, lines with an error level, and JSON lines with a level. A log
is written by code of the change: every length is bounded, nothing in it is taken for more than text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from greenlane.domain.incident import ErrorCluster

MAX_CHARS = 256 * 1024
"""The end of a log that is read."""
LINE_CHARS = 400
TRACE_LINES = 300
"""Lines of one stack trace: a recursion writes a thousand."""
CLUSTERS_MAX = 20
_SIGNATURE_CHARS = 160
_SAMPLE_CHARS = 300

_TIME = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?|\d\d/\w{3}/\d{4}[: ]\d\d:\d\d:\d\d"
)
_LEVEL = re.compile(r"\b(ERROR|CRITICAL|FATAL|SEVERE|panic)\b|^\[?(?:error|fatal)\]?\b[: ]")
_PY_BEGIN = re.compile(r"Traceback \(most recent call last\):\s*$")
_PY_FRAME = re.compile(r'^\s+File "([^"\n]{1,300})", line (\d{1,7})(?:, in (\S{1,100}))?')
_PY_CHAIN = re.compile(r"^(During handling of the above exception|The above exception was the direct cause)")
_TYPED = re.compile(
    r"^(?:Uncaught |Unhandled |Exception in thread \"[^\"]{0,80}\" |Caused by: )?"
    r"((?:[A-Za-z_$][\w$]{0,80}\.){0,12}[A-Za-z_$][\w$]{0,80}):? ?(.*)$"
)
_EXCEPTION = re.compile(r"^(?:\w{1,80}\.){0,12}[A-Z]\w{0,80}(?:Error|Exception|Warning|Exit|Interrupt|Fault|Failure)$")
_JS_FRAME = re.compile(r"^\s+at (?:(?:async )?(\S{1,100}) \()?(?:file://)?([^()\s]{1,300}?):(\d{1,7})(?::\d{1,7})?\)?$")
_JAVA_FRAME = re.compile(r"^\s+at ([\w.$<>]{1,200})\(([\w$]{1,100}\.\w{1,10}):(\d{1,7})\)")
_GO_FRAME = re.compile(r"^\s+(/[^\s:]{1,300}\.go):(\d{1,7})")
_LIBRARY = re.compile(r"/(?:site-packages|dist-packages|node_modules|lib/python3[\d.]*)/|^<|^node:|^internal/")
_RELEASE = re.compile(
    r"^(?:.*/)?(?:(?:sha256[-_:]?)?[0-9a-f]{10,64}|(?:production|staging)-[0-9a-f]{6,64})/(?:files/)?"
)
_VARIABLE = re.compile(
    r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}|[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64}){1,4}"
    r"|0x[0-9a-fA-F]+|\b(?=[a-fA-F]*\d)[0-9a-fA-F]{8,}\b|(?<![A-Za-z_])\d+(?:[.:,]\d+)*|'[^']{0,200}'|\"[^\"]{0,200}\""
)
_PREFIX = re.compile(r"^[\s\[\]|,:.;-]*(?:(?:ERROR|CRITICAL|FATAL|SEVERE)\b[\s\]|,:.;-]*)?")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]|\x1b\[[0-9;]{0,20}m")
_JSON_LEVELS = frozenset({"error", "critical", "fatal", "severe", "panic", "emergency", "alert"})
_JSON_TEXTS = ("message", "msg", "event", "error")
_JSON_STACKS = ("exc_info", "exception", "stack", "stack_trace", "stacktrace", "traceback")
_JSON_TIMES = ("timestamp", "time", "@timestamp", "ts", "asctime")


class Frame(msgspec.Struct, frozen=True):
    """One place in a stack trace; `path` without the folder of the release, so that versions can be compared."""

    path: str
    line: int
    function: str = ""

    @property
    def words(self) -> str:
        return f"{self.path}:{self.line}" + (f" in {self.function}" if self.function else "")


class LoggedError(msgspec.Struct, frozen=True, kw_only=True):
    """One error as it was logged. `frames` are innermost first, those of libraries included."""

    exception: str
    text: str
    frames: tuple[Frame, ...] = ()
    at: str = ""

    @property
    def place(self) -> Frame | None:
        """The innermost frame of the service's own code; of any code if there is none."""
        own = [f for f in self.frames if not _LIBRARY.search(f.path)]
        return next(iter(own or self.frames), None)

    @property
    def signature(self) -> str:
        return normalise(self.text)

    @property
    def kind(self) -> tuple[str, str]:
        """Errors with the same value are of one kind. Lines move between versions, so a frame's number is no part."""
        place = self.place
        if self.exception and place:
            return self.exception, f"{place.path} {place.function}"
        return self.exception, self.signature


def normalise(text: str) -> str:
    """A text without what varies: numbers, addresses, ids, quotations."""
    bare = _PREFIX.sub("", _TIME.sub("", text[:LINE_CHARS]).strip())
    return _VARIABLE.sub("…", bare).strip()[:_SIGNATURE_CHARS]


def read_errors(log: str) -> tuple[LoggedError, ...]:
    """Every error of a log, in order."""
    lines = [_CONTROL.sub("", line)[:LINE_CHARS] for line in log[-MAX_CHARS:].split("\n")]
    return tuple(_Reader(lines).read())


def cluster_errors(
    candidate: Sequence[LoggedError], stable: Iterable[LoggedError]
) -> tuple[tuple[ErrorCluster, ...], int]:
    """The candidate's errors by kind, those that stable does not log first, then the most frequent; and how many kinds
    were left out because there are too many."""
    usual: dict[tuple[str, str], int] = {}
    for error in stable:
        usual[error.kind] = usual.get(error.kind, 0) + 1
    kinds: dict[tuple[str, str], list[LoggedError]] = {}
    for error in candidate:
        kinds.setdefault(error.kind, []).append(error)
    clusters = [_cluster(errors, usual.get(kind, 0)) for kind, errors in kinds.items()]
    clusters.sort(key=lambda c: (c.stable_count > 0, -c.count))
    return tuple(clusters[:CLUSTERS_MAX]), max(0, len(clusters) - CLUSTERS_MAX)


def _cluster(errors: list[LoggedError], stable_count: int) -> ErrorCluster:
    first, place = errors[0], errors[0].place
    times = [error.at for error in errors if error.at]
    return ErrorCluster(
        signature=first.signature,
        count=len(errors),
        stable_count=stable_count,
        exception=first.exception,
        frame=place.words if place else "",
        first_seen=times[0] if times else "",
        last_seen=times[-1] if times else "",
        sample=first.text[:_SAMPLE_CHARS],
    )


class _Reader:
    """Goes through the lines once. `_at` is the last time that a line had."""

    def __init__(self, lines: list[str]) -> None:
        self._lines = lines
        self._next = 0
        self._at = ""

    def read(self) -> Iterator[LoggedError]:
        while self._next < len(self._lines):
            line = self._lines[self._next]
            if found := _TIME.search(line[:80]):
                self._at = found[0]
            error = self._read_one(line)
            if error is not None:
                yield error
            else:
                self._next += 1

    def _read_one(self, line: str) -> LoggedError | None:
        """The error that begins here, if one does; then the place of the next line has moved on."""
        if line.startswith("{"):
            return self._json(line)
        if _PY_BEGIN.search(line):
            return self._python()
        if _PY_FRAME.match(line):  # the log's end begins within a traceback
            self._next -= 1
            return self._python()
        typed = _TYPED.match(line)
        follows = self._lines[self._next + 1] if self._next + 1 < len(self._lines) else ""
        if typed and (_JS_FRAME.match(follows) or _JAVA_FRAME.match(follows)):
            return self._with_frames(typed[1], line)
        if line.startswith("panic: "):
            return self._with_frames("panic", line)
        if typed and _EXCEPTION.match(typed[1]):
            return self._one_line(typed[1], line)
        if _LEVEL.search(line):
            if _PY_BEGIN.search(follows):  # `logging.exception`: the words belong to the trace below
                self._next += 1
                return self._python()
            return self._one_line("", line)
        return None

    def _one_line(self, exception: str, line: str) -> LoggedError:
        self._next += 1
        return LoggedError(exception=exception, text=line.strip(), at=self._at)

    def _python(self) -> LoggedError:
        """A traceback with everything that it is chained to; what was raised last gives the name."""
        frames: list[Frame] = []
        earlier: list[Frame] = []
        exception, text, read = "", "", 0
        self._next += 1
        while self._next < len(self._lines) and read < TRACE_LINES:
            line = self._lines[self._next]
            read += 1
            if frame := _PY_FRAME.match(line):
                frames.append(_frame(frame[1], frame[2], frame[3] or ""))
            elif not line.strip():
                if not exception:
                    self._next += 1
                    continue
                if not self._chained():
                    break
                earlier, frames, exception = [*reversed(frames), *earlier], [], ""
                continue
            elif not line[0].isspace() or line.startswith("  |"):
                if exception:
                    break
                typed = _TYPED.match(line)
                exception, text = (typed[1], line.strip()) if typed else ("", line.strip())
                if not typed:
                    break
            self._next += 1
        return LoggedError(
            exception=exception, text=text or "a traceback that was cut off",
            frames=(*reversed(frames), *earlier), at=self._at,
        )  # fmt: skip

    def _chained(self) -> bool:
        """Whether another traceback of the same error follows; then it is the next line to be read."""
        ahead = [line for line in self._lines[self._next : self._next + 6] if line.strip()]
        if not ahead or not _PY_CHAIN.match(ahead[0]):
            return False
        for place in range(self._next, min(self._next + 6, len(self._lines))):
            if _PY_BEGIN.search(self._lines[place]):
                self._next = place + 1
                return True
        return False

    def _with_frames(self, exception: str, line: str) -> LoggedError:
        """A stack trace that names what was raised first, and the innermost frame right below it."""
        frames: list[Frame] = []
        self._next += 1
        for follows in self._lines[self._next : self._next + TRACE_LINES]:
            if java := _JAVA_FRAME.match(follows):
                frames.append(_frame(java[2], java[3], java[1].rsplit(".", 1)[-1]))
            elif js := _JS_FRAME.match(follows):
                frames.append(_frame(js[2], js[3], js[1] or ""))
            elif go := _GO_FRAME.match(follows):
                frames.append(_frame(go[1], go[2], ""))
            elif not _belongs(exception, follows):
                break
            self._next += 1
        return LoggedError(exception=exception, text=line.strip(), frames=tuple(frames), at=self._at)

    def _json(self, line: str) -> LoggedError | None:
        try:
            found = msgspec.json.decode(line, type=dict[str, object])
        except msgspec.MsgspecError:
            return None
        at = next((str(found[k]) for k in _JSON_TIMES if k in found), "")
        self._at = at[:40] or self._at
        level = str(found.get("level", found.get("severity", found.get("levelname", "")))).lower()
        stack = next((found[k] for k in _JSON_STACKS if isinstance(found.get(k), str)), "")
        if level not in _JSON_LEVELS and not stack:
            return None
        self._next += 1
        text = next((str(found[k]) for k in _JSON_TEXTS if found.get(k)), "")[:LINE_CHARS]
        inner = next(iter(_Reader([x[:LINE_CHARS] for x in str(stack).split("\n")][:TRACE_LINES]).read()), None)
        if inner is None:
            return LoggedError(exception="", text=text or "an error without words", at=self._at)
        return LoggedError(exception=inner.exception, text=inner.text, frames=inner.frames, at=self._at)


def _belongs(exception: str, line: str) -> bool:
    """Whether a line without a frame is still part of the trace: Go writes many, the others almost none."""
    if exception == "panic":
        return not _TIME.search(line[:40])
    return line.lstrip().startswith(("at ", "..."))


def _frame(path: str, line: str, function: str) -> Frame:
    return Frame(_RELEASE.sub("", path), int(line), function)
