"""Globs, and the services that a change touches."""

from __future__ import annotations

import pytest

from greenlane.domain.service_settings import Service
from greenlane.policy.paths import assign_services, match_paths


@pytest.mark.parametrize(
    ("glob", "path", "matches"),
    [
        ("**", "a/b/c.py", True),
        ("services/api/**", "services/api/x/y.py", True),
        ("services/api/**", "services/apix/y.py", False),
        ("*.sql", "deep/down/x.sql", True),
        ("/setup.py", "pkg/setup.py", False),
        ("migrations/", "app/migrations/0001.py", True),
        ("**/auth/**", "src/auth/login.py", True),
        ("src/*.py", "src/a/b.py", False),
    ],
)
def test_globs_read_as_gitignore_reads_them(glob, path, matches) -> None:
    assert bool(match_paths((glob,), (path,))) is matches


def test_files_of_no_service_are_named_when_there_are_several() -> None:
    services = (Service(name="a", paths=("a/**",)), Service(name="b", paths=("b/**",)))
    touched, unclaimed = assign_services(services, ("a/x.py", "README.md"))
    assert [s.name for s in touched] == ["a"]
    assert unclaimed == ("README.md",)


def test_a_single_service_owns_everything() -> None:
    touched, unclaimed = assign_services((Service(name="a", paths=("a/**",)),), ("other.py",))
    assert [s.name for s in touched] == ["a"]
    assert unclaimed == ()
