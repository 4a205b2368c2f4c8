"""The local git repository as code host: a branch is a pull request. Behind the ports of `ports/code_host.py`."""

from greenlane.adapters.git.host import LocalGit

__all__ = ["LocalGit"]
