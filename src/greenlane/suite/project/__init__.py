"""Projects as they are: what a project's own files say of what its tests need and how they are run."""

from greenlane.suite.project.found import complete_service, found_suite
from greenlane.suite.project.plan import Plan, plan_project

__all__ = ["Plan", "complete_service", "found_suite", "plan_project"]
