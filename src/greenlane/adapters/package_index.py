"""The package index for the build step: the user's own pip settings as a job may see them, and the hosts they name."""

from __future__ import annotations

import configparser
import contextlib
import io
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

import msgspec

_PIP_PATHS = ("cert", "client_cert", "client-cert")
_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT")
_PROXIES = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy")
_ADDRESSES = ("index-url", "extra-index-url", "find-links")
_DEFAULT_INDEX = "https://pypi.org/simple"
_FILES_OF = {"pypi.org": ("files.pythonhosted.org",)}
"""Where an index that is not ours to configure keeps its files."""
_PORTS = {"https": 443, "http": 80}


class IndexSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What a job needs to reach the index: variables, files to show to it, and the hosts that it may speak to."""

    variables: Mapping[str, str]
    files: tuple[Path, ...]
    hosts: frozenset[tuple[str, int]]
    """Name and port of each."""
    proxy: str = ""
    """The proxy behind which the index lies (`http://host:port`); empty: none."""
    direct: tuple[str, ...] = ()
    """Hosts (and with a dot in front, domains) that are not behind it."""


def read_index_settings(environ: Mapping[str, str], folder: Path) -> IndexSettings:
    """The user's own pip settings for the network step.

    The user's configuration files are not visible inside, so they are merged into one that is (`folder/pip.conf`; later
    ones win, as pip has it). They may hold a password for the index: nothing else may.
    """
    variables = {
        n: v for n, v in environ.items() if n in _CERTIFICATES or (n.startswith("PIP_") and n != "PIP_CONFIG_FILE")
    }
    merged = configparser.RawConfigParser()
    for file in _pip_files(environ):
        with contextlib.suppress(configparser.Error, OSError, UnicodeDecodeError):
            merged.read(file, encoding="utf-8")
    configured_proxy = variables.pop("PIP_PROXY", "") or next(_options(merged, "proxy"), "")
    for section in merged.sections():
        merged.remove_option(section, "proxy")  # the job has one way out, and not this one
    text = io.StringIO()
    merged.write(text)
    configuration = folder / "pip.conf"
    configuration.write_text(text.getvalue(), encoding="utf-8")
    variables |= {"PIP_CONFIG_FILE": str(configuration), "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_CACHE_DIR": "1"}
    addresses = list(_addresses(variables, merged))
    named = [variables[n] for n in _CERTIFICATES if n in variables]
    named += [merged.get(s, o) for s in merged.sections() for o in merged.options(s) if o in _PIP_PATHS]
    named += [path for address in addresses if (path := _local_path(address))]
    return IndexSettings(
        variables=variables,
        files=tuple(dict.fromkeys(Path(n) for n in named if n and Path(n).exists())),
        hosts=frozenset(_hosts(addresses)),
        proxy=configured_proxy or next((environ[n] for n in _PROXIES if environ.get(n)), ""),
        direct=tuple((environ.get("NO_PROXY") or environ.get("no_proxy") or "").replace(",", " ").split()),
    )


def _addresses(variables: Mapping[str, str], merged: configparser.RawConfigParser) -> Iterator[str]:
    """Every place from which pip would take packages: variables come before the files for each option."""
    for name in _ADDRESSES:
        variable = variables.get(f"PIP_{name.upper().replace('-', '_')}")
        given = [variable] if variable else [*_options(merged, name)]
        if name == "index-url" and not given and not _is_on(variables.get("PIP_NO_INDEX", "")):
            given = [_DEFAULT_INDEX]
        for value in given:
            yield from value.split()


def _is_on(text: str) -> bool:
    return text.lower() in {"1", "true", "yes", "on"}


def _local_path(address: str) -> str:
    """The folder that an address of this machine stands for. The pages of an index (`simple`) name files beside it."""
    if address.startswith("/"):
        return address
    parts = urlsplit(address)
    if parts.scheme != "file" or parts.netloc not in {"", "localhost"}:
        return ""
    path = Path(unquote(parts.path))
    return str(path.parent if path.name == "simple" else path)


def _hosts(addresses: list[str]) -> Iterator[tuple[str, int]]:
    for address in addresses:
        with contextlib.suppress(ValueError):
            parts = urlsplit(address)
            if parts.hostname and parts.scheme in _PORTS:
                port = parts.port or _PORTS[parts.scheme]
                yield parts.hostname, port
                yield from ((name, port) for name in _FILES_OF.get(parts.hostname, ()))


def _options(merged: configparser.RawConfigParser, name: str) -> Iterator[str]:
    for section in merged.sections():
        if merged.has_option(section, name):
            yield merged.get(section, name)


def _pip_files(environ: Mapping[str, str]) -> list[Path]:
    """Where pip looks, in its order (https://pip.pypa.io/en/stable/topics/configuration/)."""
    home = Path(environ.get("HOME", "/nonexistent"))
    config_home = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    named = environ.get("PIP_CONFIG_FILE")
    return [
        Path("/etc/xdg/pip/pip.conf"),
        Path("/etc/pip.conf"),
        home / ".pip" / "pip.conf",
        config_home / "pip" / "pip.conf",
        Path(sys.prefix) / "pip.conf",
        *([Path(named)] if named else []),
    ]
