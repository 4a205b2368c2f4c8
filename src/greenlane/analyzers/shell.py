"""Shell scripts, line by line: what is downloaded and run, evaluated, deleted or opened up. Called by `scripts`.

Continued lines count as one; comments are left out. It is a reading of text: no value is followed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from greenlane.analyzers.script_hits import Hit
from greenlane.domain.findings import Category, Severity

_DOWNLOAD = r"(curl|wget|fetch)\b"
_RULES = (
    ("download-and-run", Severity.HIGH, "something is downloaded and run unchecked",
     rf"\b{_DOWNLOAD}[^|;&]*\|\s*(sudo\s+(-\w+\s+)*)?((ba|z|da|k)?sh|python[\d.]*|perl|ruby|node)\b"
     rf"|\b((ba|z|da|k)?sh|source|\.|eval|python[\d.]*)\s+(-c\s+)?[\"']?(<\(|\$\(|`)\s*{_DOWNLOAD}"),
    ("decode-and-run", Severity.HIGH, "what is run can't be read",
     r"(base64\s+(-d|-D|--decode)|xxd\s+-r|openssl\s+enc\s+-d)\b[^;&]*\|\s*(sudo\s+)?((ba|z|da|k)?sh|python[\d.]*|perl)\b"),
    ("reverse-shell", Severity.HIGH, "a connection is tied to a shell", r"/dev/(tcp|udp)/|\bnc(at)?\b.*\s-[a-z]*e\b"),
    ("eval", Severity.MEDIUM, "a value is run as code", r"(^|[;&|]\s*|\bthen\s+|\bdo\s+)eval\s+[^#]*\$"
     r"(?!\(\s*(ssh-agent|brew|pyenv|opam|dircolors)\b)"),
    ("positional-eval", Severity.HIGH, "an argument is run as code", r"\b(eval|(ba)?sh\s+-c)\s+[\"']?\$[{\"]?[@*1-9]"),
    ("delete", Severity.HIGH, "everything under a folder is deleted whose name may be empty",
     r"\brm\s+(-\w+\s+)*-\w*r\w*\s+(-\w+\s+|--\s+)*[\"']?\$(\{\w+\}|\w+)[\"']?/(\*|\s|$)|\brm\s+-\w*r\w*f?\w*\s+/(\s|$|\*)"),
    ("world-writable", Severity.MEDIUM, "everybody may write it", r"\bchmod\s+(-\w+\s+)*(0?777|a\+rwx|o\+w)\b"),
    ("tls", Severity.HIGH, "TLS certificates are no longer checked",
     r"\bcurl\b[^|;&]*\s(-[a-zA-Z]*k[a-zA-Z]*|--insecure)\b|\bwget\b[^|;&]*--no-check-certificate"
     r"|GIT_SSL_NO_VERIFY=(1|true)|http\.sslVerify[= ]+false|NODE_TLS_REJECT_UNAUTHORIZED=0|PYTHONHTTPSVERIFY=0"
     r"|--trusted-host\b"),
    ("sudo", Severity.LOW, "it asks for the rights of another user", r"(^|[;&|]\s*)sudo\s"),
)  # fmt: skip
_COMPILED = tuple((rule, severity, message, re.compile(pattern)) for rule, severity, message, pattern in _RULES)
_ADDRESS = re.compile(r"\b(?:https?|ftp)://[^\s\"'`<>|;)]+")
_CLIENT = re.compile(r"\b(curl|wget|git\s+clone|pip3?\s+install|nc|ftp|rsync|apt-key)\b")


def scan(_path: str, text: str) -> list[Hit]:
    found: list[Hit] = []
    for number, line in _logical_lines(text):
        if line.lstrip().startswith("#"):
            continue
        for rule, severity, message, pattern in _COMPILED:
            if pattern.search(line):
                found.append(Hit(rule=f"shell.{rule}", severity=severity, message=message, line=number, text=line))
        if _CLIENT.search(line):
            found += _hosts(number, line)
    return found


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """(number of its first line, text) of each line with those that continue it."""
    held, start = "", 0
    for number, line in enumerate(re.split(r"\r\n|\n", text), 1):
        start = start or number
        if line.endswith("\\"):
            held += line[:-1] + " "
        else:
            yield start, held + line
            held, start = "", 0
    if held:
        yield start, held


def _hosts(number: int, line: str) -> Iterator[Hit]:
    for match in _ADDRESS.finditer(line):
        try:
            host = urlsplit(match[0]).hostname or ""
        except ValueError:
            continue
        if "$" not in host:
            yield Hit(
                rule="shell.new-host", severity=Severity.MEDIUM, message=f"the script calls a new host: {host}",
                line=number, text=line, host=host, category=Category.INTEGRATION,
            )  # fmt: skip
