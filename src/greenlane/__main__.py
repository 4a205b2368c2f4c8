"""Where the `greenlane` program and `python -m greenlane` begin: interrupted quietly, even while modules are read."""

from __future__ import annotations

import sys
import warnings


def main() -> None:
    warnings.simplefilter("ignore", SyntaxWarning)  # of code that is read: it is for its authors, not for this terminal
    try:
        from greenlane.cli.main import app

        app()
    except KeyboardInterrupt:  # while modules were still being read: nothing had begun
        sys.stderr.write("stopped\n")
        sys.exit(130)


if __name__ == "__main__":
    main()
