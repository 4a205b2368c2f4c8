"""A service as its project's own files complete it: the configuration comes first, and what it leaves open is found."""

from __future__ import annotations

from typing import Any

from greenlane.domain.service_settings import Service
from greenlane.ports.environments import FoundSuite
from greenlane.suite.project.plan import Plan


def found_suite(plan: Plan) -> FoundSuite:
    """What a plan says of the tests themselves."""
    return FoundSuite(
        test=plan.test,
        source_roots=plan.source_roots,
        tests_dir=f"{plan.folder}/tests" if plan.folder else None,
        variables=plan.variables,
        files=plan.files,
        reasons=plan.reasons,
        notes=plan.notes,
    )


def complete_service(service: Service, found: FoundSuite | None) -> Service:
    """The service with the command, the import path and the folder of its tests as they were found, where its
    configuration does not name them."""
    if found is None or service.tests.kind == "command":
        return service
    changes: dict[str, Any] = {}
    if found.test and "test" not in service.commands.model_fields_set:
        changes["commands"] = service.commands.model_copy(update={"test": found.test})
    if found.source_roots and "source_roots" not in service.model_fields_set:
        changes["source_roots"] = tuple(dict.fromkeys((*service.source_roots, *found.source_roots)))
    if found.tests_dir and "tests_dir" not in service.model_fields_set:
        changes["tests_dir"] = found.tests_dir
    return service.model_copy(update=changes) if changes else service
