"""The GraphQL contract: the schema that the SDL files of a folder make, at the base and the head, compared.

graphql-core builds both and knows what breaks; here it is said which files make one schema, and where each change
stands. Documents of clients (queries) are no contract. Called by `api.py`; graphql-core takes a while to import.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path, PurePosixPath

import graphql
import msgspec
from graphql.language import ast as sdl

from greenlane.analyzers import files
from greenlane.analyzers.base import AnalysisResult, ReviewInput
from greenlane.domain.events import SkippedFile
from greenlane.domain.findings import Category, Finding, Severity

SUFFIXES = (".graphql", ".graphqls", ".gql")
_MAX_FILES = 500
_MAX_TOKENS = 400_000
_WORD = re.compile(r"[A-Za-z_]\w*")
_HARMLESS = frozenset({"OPTIONAL_INPUT_FIELD_ADDED", "OPTIONAL_ARG_ADDED", "IMPLEMENTED_INTERFACE_ADDED"})
"""graphql-core calls these dangerous; a client has to do something odd to notice."""
_CLIENT = (sdl.OperationDefinitionNode, sdl.FragmentDefinitionNode)


class SchemaError(Exception):
    """No schema can be built; the text says why. `incomplete`: a part of it may stand in another file."""

    def __init__(self, text: str, *, incomplete: bool = False) -> None:
        super().__init__(text)
        self.incomplete = incomplete


class Source(msgspec.Struct, frozen=True):
    path: str
    text: str
    document: sdl.DocumentNode


class Built(msgspec.Struct, frozen=True):
    schema: graphql.GraphQLSchema
    places: dict[str, tuple[str, int]]
    """`Type` and `Type.member` to the file and line where it is defined."""
    texts: dict[str, str]


def compare_schemas(review: ReviewInput) -> AnalysisResult:
    findings: list[Finding] = []
    skipped: list[SkippedFile] = []
    done: set[str] = set()
    for diff in review.diff.files:
        path = diff.old_path or diff.path
        if not path.lower().endswith(SUFFIXES) or files.is_support(path):
            continue
        try:
            folder = _folder_of(review, path, diff.path)
            if folder is None or folder in done:
                continue
            done.add(folder)
            findings += _compare(_build(review.base, folder, review), _build(review.head, folder, review))
        except SchemaError as error:
            reason = f"the GraphQL schema can't be compared ({error})"
            skipped.append(SkippedFile(path=diff.path, analyzer="api", reason=reason))
    return AnalysisResult(findings=tuple(findings), skipped=tuple(skipped))


def _folder_of(review: ReviewInput, old_path: str, path: str) -> str | None:
    """The innermost folder whose files make a whole schema at the base; None if the file is no part of one.

    Raises SchemaError: not even all files of the repository do.
    """
    for tree, own in ((review.base, old_path), (review.head, path)):
        if (tree / own).is_file():
            source = _read(tree, own, review)
            if _definitions([source]):
                break
    else:
        return None
    last: SchemaError | None = None
    for parent in PurePosixPath(old_path).parents:
        try:
            if _build(review.base, str(parent), review).places:
                return str(parent)
        except SchemaError as error:
            last = error
            if not error.incomplete:
                raise
    if last is not None:
        raise last
    return None  # the base has no schema: what is new breaks nobody


def _read(tree: Path, path: str, review: ReviewInput) -> Source:
    try:
        text = files.read_text(tree, path, review.max_file_bytes)
        document = graphql.parse(graphql.Source(text, path), max_tokens=_MAX_TOKENS)
    except files.UnreadableError as error:
        raise SchemaError(f"{path}: {error}") from error
    except (graphql.GraphQLError, RecursionError) as error:
        raise SchemaError(f"{path}: {str(error).splitlines()[0][:120]}") from error
    return Source(path, text, document)


def _definitions(sources: list[Source]) -> list[sdl.DefinitionNode]:
    return [d for s in sources for d in s.document.definitions if not isinstance(d, _CLIENT)]


def _build(tree: Path, folder: str, review: ReviewInput) -> Built:
    """The schema of all SDL files under a folder. Raises SchemaError."""
    found = sorted(p for p in (tree / folder).rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
    names = [p.relative_to(tree).as_posix() for p in found if not p.is_symlink()]
    sources = [_read(tree, n, review) for n in islice((n for n in names if not files.is_support(n)), _MAX_FILES)]
    definitions = _with_bases(_definitions(sources))
    try:
        schema = graphql.build_ast_schema(
            sdl.DocumentNode(definitions=tuple(definitions)), assume_valid=True, assume_valid_sdl=True
        )
    except (graphql.GraphQLError, TypeError, KeyError, RecursionError) as error:
        words = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        raise SchemaError(words, incomplete=True) from error
    return Built(schema, _places(sources), {s.path: s.text for s in sources})


def _with_bases(definitions: list[sdl.DefinitionNode]) -> list[sdl.DefinitionNode]:
    """A type that is only ever extended here (a part of a federated graph) is defined by its first extension."""
    defined = {d.name.value for d in definitions if isinstance(d, sdl.TypeDefinitionNode)}
    turned: list[sdl.DefinitionNode] = []
    for definition in definitions:
        kind = type(definition).__name__.replace("Extension", "Definition")
        name = getattr(definition, "name", None)
        if isinstance(definition, sdl.TypeExtensionNode) and name is not None and name.value not in defined:
            defined.add(name.value)
            given = {key: getattr(definition, key) for key in definition.keys if key != "description"}
            turned.append(getattr(sdl, kind)(**given))
        else:
            turned.append(definition)
    return turned


def _places(sources: list[Source]) -> dict[str, tuple[str, int]]:
    found: dict[str, tuple[str, int]] = {}
    for source in sources:
        for definition in source.document.definitions:
            name = getattr(definition, "name", None)
            if isinstance(definition, _CLIENT) or name is None:
                continue
            found.setdefault(name.value, (source.path, _line(name)))
            for word in ("fields", "values", "types"):
                for member in getattr(definition, word, None) or ():
                    found[f"{name.value}.{member.name.value}"] = (source.path, _line(member.name))
                    for argument in getattr(member, "arguments", None) or ():
                        key = f"{name.value}.{member.name.value}.{argument.name.value}"
                        found[key] = (source.path, _line(argument.name))
    return found


def _line(node: sdl.Node) -> int:
    return node.loc.start_token.line if node.loc else 0


# ------------------------------------------------------------------ findings


def _compare(before: Built, after: Built) -> Iterator[Finding]:
    for change in graphql.find_breaking_changes(before.schema, after.schema):
        if change.type.name == "TYPE_REMOVED" and _is_built_in(change.description):
            continue  # it is built in, and nothing uses it any more
        yield _finding(change.type.name, Severity.HIGH, change.description, before, after)
    for danger in graphql.find_dangerous_changes(before.schema, after.schema):
        severity = Severity.INFO if danger.type.name in _HARMLESS else Severity.MEDIUM
        yield _finding(danger.type.name, severity, danger.description, before, after)


def _is_built_in(description: str) -> bool:
    return bool(set(_WORD.findall(description)) & graphql.specified_scalar_types.keys())


def _finding(kind: str, severity: Severity, description: str, before: Built, after: Built) -> Finding:
    rule = kind.lower().replace("_", "-")
    sides = (before, after) if "removed" in rule else (after, before)
    at_base, path, line, quotation = False, "", 0, ""
    for side in sides:
        place = _place_of(description, side)
        if place:
            path, line = place
            lines = side.texts[path].splitlines()
            quotation = lines[line - 1].strip()[:300] if 0 < line <= len(lines) else ""
            at_base = side is before
            break
    message = description.rstrip(".") + (" (line of the base)" if at_base else "")
    return Finding(
        rule=f"graphql.{rule}", category=Category.API, severity=severity, message=message, path=path, line=line,
        quotation=quotation,
    )  # fmt: skip


def _place_of(description: str, side: Built) -> tuple[str, int] | None:
    """Where the most precise name in a description is defined: argument, member, or type, in whatever order."""
    words = list(dict.fromkeys(_WORD.findall(description)))
    best: tuple[int, str] = (0, "")
    for owner in words:
        for key in [owner, *(f"{owner}.{m}" for m in words), *(f"{owner}.{m}.{a}" for m in words for a in words)]:
            if key in side.places:
                best = max(best, (key.count(".") + 1, key), key=lambda b: b[0])
    return side.places.get(best[1])
