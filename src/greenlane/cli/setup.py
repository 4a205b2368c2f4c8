"""Commands for setting up: init, doctor, config."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from greenlane.cli.session import JsonFlag, config_path_of, directory_of, load_config
from greenlane.cli.sink import FAILED, OK, say

if TYPE_CHECKING:
    from greenlane.cli.diagnosis import Diagnosis

SCHEMA_FILE = "greenlane.schema.json"
config_app = typer.Typer(help="The configuration: check it, show it, print its schema.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.command("init")(init)
    app.command("doctor")(doctor)
    app.add_typer(config_app, name="config")


def init(
    ctx: typer.Context,
    force: Annotated[bool, typer.Option("--force", help="Overwrite a greenlane.yaml that is there.")] = False,
    schema: Annotated[bool, typer.Option("--schema", help="Write the JSON Schema beside it, for editors.")] = False,
    json_: JsonFlag = False,
) -> None:
    """Write greenlane.yaml by looking at the repository.

    It says what could not be found out, and marks it in the file.
    """
    import json

    from greenlane.adapters.reports import write_atomically
    from greenlane.cli.drafting import draft_config, gaps_of
    from greenlane.cli.survey import survey_repository
    from greenlane.config import CONFIG_NAME, json_schema, load_settings
    from greenlane.domain.errors import InputError
    from greenlane.pages.terminal import print_json, print_line

    root = directory_of(ctx)
    path = root / CONFIG_NAME
    if path.exists() and not force:
        raise InputError(f"{path} is there already", hint="`greenlane init --force` overwrites it")
    survey = survey_repository(root)
    if schema:
        write_atomically(root / SCHEMA_FILE, json.dumps(json_schema(), indent=2) + "\n")
    write_atomically(path, draft_config(survey, schema_file=SCHEMA_FILE if schema else None))
    path.chmod(0o644)
    load_settings(path)  # what we write must be what we read
    gaps = gaps_of(survey)
    if json_:
        print_json({"path": str(path), "found": survey, "fill_in": gaps})
        return
    print_line(str(path))
    for gap in gaps:
        say(f"fill in  {gap}")
    say("next: `greenlane doctor`, then `greenlane run BRANCH`")


def doctor(ctx: typer.Context, json_: JsonFlag = False) -> None:
    """Name every problem of machine and configuration, with its fix."""
    from greenlane.cli.doctor import examine

    diagnoses = examine(directory_of(ctx))
    healthy = all(d.ok for d in diagnoses)
    if json_:
        from greenlane.pages.terminal import print_json

        print_json({"healthy": healthy, "checks": diagnoses})
    else:
        _print_diagnoses(diagnoses)
    raise typer.Exit(OK if healthy else FAILED)


def _print_diagnoses(diagnoses: list[Diagnosis]) -> None:
    from rich.text import Text

    from greenlane.pages.terminal import console, prints_unicode
    from greenlane.pages.words import clean_lines

    out = console()
    good, bad = ("✓", "✗") if prints_unicode(out.encoding) else ("+", "x")
    for d in diagnoses:
        text = Text()
        text.append(f"{good if d.ok else bad} ", "green" if d.ok else "bold red")
        text.append(f"{d.name:<14} ", "bold" if not d.ok else "")
        text.append(clean_lines(d.detail).replace("\n", "\n" + " " * 17))
        if d.fix:
            text.append(f"\n{' ' * 17}fix: {d.fix}", "yellow")
        out.print(text, soft_wrap=True)
    problems = sum(not d.ok for d in diagnoses)
    say(f"{problems} problem{'s' if problems != 1 else ''}" if problems else "all is well")


@config_app.command("check")
def config_check(ctx: typer.Context, json_: JsonFlag = False) -> None:
    """Validate greenlane.yaml.

    Every error comes with file, line, column and the allowed values.
    """
    from greenlane.pages.terminal import print_json, print_line

    loaded = load_config(ctx)
    if json_:
        print_json({"path": str(loaded.path), "sha256": loaded.sha256, "valid": True})
    else:
        print_line(f"{loaded.path}: valid, {len(loaded.settings.services)} service(s), sha256 {loaded.sha256[:16]}")


@config_app.command("show")
def config_show(ctx: typer.Context, json_: JsonFlag = False) -> None:
    """Print every value in force, defaults included."""
    import sys

    import yaml

    from greenlane.pages.terminal import print_json

    loaded = load_config(ctx)
    values = loaded.settings.model_dump(mode="json")
    if json_:
        print_json({"path": str(loaded.path), "sha256": loaded.sha256, "settings": values})
    else:
        sys.stdout.write(f"# {loaded.path}, sha256 {loaded.sha256}\n")
        yaml.safe_dump(values, sys.stdout, sort_keys=False, allow_unicode=True)


@config_app.command("schema")
def config_schema() -> None:
    """Print the JSON Schema of greenlane.yaml, for editors."""
    import json

    from greenlane.config import json_schema
    from greenlane.pages.terminal import print_line

    print_line(json.dumps(json_schema(), indent=2))


@config_app.command("path")
def config_path(ctx: typer.Context) -> None:
    """Print which greenlane.yaml holds here."""
    from greenlane.pages.terminal import print_line

    print_line(str(config_path_of(ctx)))
