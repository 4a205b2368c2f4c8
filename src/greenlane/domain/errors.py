"""Errors of Greenlane. Each says what to do next; a retryable one differs from a final one by type."""


class GreenlaneError(Exception):
    """Something Greenlane can explain. `hint` says what the reader can do about it."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class RetryableError(GreenlaneError):
    """The same call may succeed later: the runtime retries it with back-off before it asks a human."""


class FinalError(GreenlaneError):
    """The same call would fail again: the run stops and a human is asked."""


class InputError(FinalError):
    """What came from outside (a branch, a file, an argument) can't be used as it is."""

    exit_code = 2


class ConfigError(InputError):
    """`greenlane.yaml` is wrong. The message names file, line and the allowed values."""

    exit_code = 2


class RefusedError(FinalError):
    """A rule forbids what was asked: an author approving their own change, a stale head commit."""

    exit_code = 3


class ChangeError(FinalError):
    """The change itself is at fault (a merge conflict, a build that fails): its author has to amend it."""


class MergeConflictError(ChangeError):
    """Base and head can't be merged without a person."""

    def __init__(self, paths: tuple[str, ...]) -> None:
        shown = ", ".join(paths[:5]) + (f" and {len(paths) - 5} more" if len(paths) > 5 else "")
        super().__init__(
            f"the change conflicts with its base branch in {shown}",
            hint="merge or rebase the base branch into the change and push again",
        )
        self.paths = paths


class BuildFailedError(ChangeError):
    """The build command of a service failed on the merge of base and head."""


class DeployFailedError(ChangeError):
    """The built artifact did not start, or did not become healthy in time."""


class PushRefusedError(FinalError):
    """The head of a pull request can't be pushed to: it is somebody else's fork, or protected."""


class BaseMovedError(GreenlaneError):
    """The base branch is no longer where the merge was made: merge and check again."""

    def __init__(self, expected: str, actual: str) -> None:
        super().__init__(f"the base branch moved from {expected[:10]} to {actual[:10]}")
        self.expected = expected
        self.actual = actual


class FencedError(FinalError):
    """A newer worker has taken over: the effect of this one was refused by the platform."""
