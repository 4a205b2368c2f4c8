"""Protections that the code of a function, class or module had and has no more, told by what they are called.

`guards.py` knows the shape of a check; here it is the vocabulary: a call, an argument, a decorator, a header, a refusal
whose name says that it protects. A fix of a vulnerability mostly adds such a name to a function that stood before;
taking it away again is what this looks for. Only places that stand on both sides are compared, so what goes with its
whole function or class counts for nothing; what stands elsewhere in the change as often as before has moved.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import TypeAlias

import msgspec

from greenlane.analyzers import files


class Kind(StrEnum):
    REFUSAL = "refusal"
    CHECK = "check"
    CLEANING = "cleaning"
    ACCESS = "access rule"
    LIMIT = "limit"
    HEADER = "protective header or flag"
    CONTAINMENT = "path check"
    METHOD = "check of the request's method"
    CHARACTERS = "check for control characters"
    CRYPTO = "safe cryptography or parsing"
    REDACTION = "redaction"
    HOST = "check of a host or address"
    OPTION = "option of a command"
    SKIP = "condition that passes something over"
    ERROR = "error"
    """A refusal that is mostly of a mistake of the caller: losing it is nothing, but it replaces another."""


class Item(msgspec.Struct, frozen=True):
    """One protection: its kind, the name it goes by, and its line."""

    kind: Kind
    name: str
    line: int


class Place(msgspec.Struct):
    """What stands in one function, class or module: its protections, and the names it uses with a line of each."""

    items: list[Item] = msgspec.field(default_factory=list)
    lines: dict[str, int] = msgspec.field(default_factory=dict)
    shaping: list[Item] = msgspec.field(default_factory=list)
    bases: set[str] = msgspec.field(default_factory=set)

    @property
    def names(self) -> set[str]:
        return set(self.lines)


Places: TypeAlias = dict[str, Place]


class Loss(msgspec.Struct, frozen=True, kw_only=True):
    """What a place (a qualified name; empty: the module) has fewer of than before. The line is that of the base."""

    kind: Kind
    place: str
    name: str
    line: int


_NAMES: tuple[tuple[Kind, re.Pattern[str]], ...] = tuple(
    (kind, re.compile(pattern, re.IGNORECASE))
    for kind, pattern in (
        (Kind.REDACTION, r"redact|censor|obfuscat|mask_(secret|password|token|value)|hide_(secret|password)|scrub"),
        (
            Kind.CLEANING,
            r"sanit|escape|bleach|full_clean|clean_(html|text|name|url|path|input)|^html_safe|^quote(_plus|_from_bytes)?$"
            r"|shlex|secure_filename|strip_(tags|auth|cred|html|control)|^nh3$|normalize_(path|url|host)|format_html|json_script",
        ),
        (
            Kind.CRYPTO,
            r"compare_digest|constant_time|hmac|^secrets$|token_(urlsafe|hex|bytes)|systemrandom|defused|safe_load|safeloader"
            r"|csafeloader|resolve_entities|forbid_(dtd|entities|external)|create_default_context|check_hostname"
            r"|verify_mode|cert_required|literal_eval|sandboxed|immutablesandbox|no_network|pbkdf2|argon2|bcrypt|mkstemp",
        ),
        (
            Kind.CONTAINMENT,
            r"^realpath$|^abspath$|commonpath|commonprefix|is_relative_to|relative_to$|safe_join|is_absolute|^isabs$"
            r"|is_within|is_subpath|path_is_|traversal|is_safe_(path|url|redirect)|url_has_allowed|is_symlink|islink",
        ),
        (
            Kind.ACCESS,
            r"permission|(^|_)perms?($|_)|authori[sz]|authenticat|csrf|xsrf|login_required|(^|_)is_(admin|staff|owner|superuser)"
            r"|(^|_)can_[a-z]|has_(perm|role|access|scope)|access_(control|check)|forbid|unauthori|restrict|allow_?list|white_?list"
            r"|black_?list|deny_?list|block_?list|disallow|(^|_)allowed($|_)|unsafe|untrusted|ratelimit|rate_limit|throttl"
            r"|regenerate|cycle_key|^current_user$|(^|_)(owner|tenant)(_id)?$|rotate_(token|session|key)|secure_headers|(^|_)origin($|_)|reauthenticat",
        ),
        (
            Kind.HOST,
            r"netloc|hostname|^urlparse|^urlsplit|(^|_)domains?($|_)|same_(origin|host|domain|site)|is_same_|ip_address|is_private",
        ),
        (
            Kind.CHECK,
            r"is_submitted|valid(ate|ator|ators|ation|ity)?($|_|[A-Z])|(^|_)is_?valid|verify|verif(ied|ication)|integrity(?!_?error)|signature"
            r"|^_?check_\w|^_?ensure_(?!a?sync|future|str|text|bytes|unicode|list|dir|path|ascii|deferred|connect|iter|await|loop)\w"
            r"|^_?require_\w|^reject|(^|_)safe($|_)|(^|_)secure($|_)"
            r"|^(Length|Regexp|DataRequired|InputRequired|NumberRange|EqualTo|AnyOf)$|Validator$",
        ),
        (
            Kind.LIMIT,
            r"(^|_)max_?\w*(size|len|length|bytes|parts|fields|depth|count|redirects|header|headers|body|memory|chunk|line|age"
            r"|requests|attempts|items|files|entries|pixels|num)|(^|_)limit(s|ed|er|ing)?($|_)|limiting|toolarge|(^|_)quota"
            r"|(^|_)timeouts?($|_)|exceed|recursion",
        ),
    )
)
_HEADERS = re.compile(
    r"^(x-frame-options|content-security-policy|referrer-policy|x-content-type-options|strict-transport-security|nosniff"
    r"|samesite|httponly|secure|x-xss-protection|x-csrf-?token|no-store|noopener|noreferrer|autoescape|authorization"
    r"|proxy-authorization|cookie|set-cookie|cookie2|content-disposition|content-type|origin|referer|vary|cache-control)$",
    re.IGNORECASE,
)
_HEADER_NAMES = re.compile(
    r"^(samesite|httponly|autoescape|select_autoescape|content_security_policy|x_frame_options|secure|noopener|nosniff)$",
    re.IGNORECASE,
)
_PRIVATE_MODES = frozenset({0o600, 0o700, 0o077})
_SINK = re.compile(r"redirect|^popen$|^check_(output|call)$|^subprocess$", re.IGNORECASE)
_BUILT_IN_ERROR = re.compile(r"raise (Value|OS|IO|Unicode\w*|Arithmetic|Overflow|Syntax|Lookup|EOF|Buffer)?Error$")
_OTHER_ERROR = re.compile(r"(Type|Key|Index|Runtime|Attribute|Assertion)Error$")
_TEMPORARY = frozenset({
    "mkstemp", "mkdtemp", "NamedTemporaryFile", "TemporaryFile", "TemporaryDirectory", "SpooledTemporaryFile",
})  # fmt: skip
"""Ways to make a file that nobody else can have made: each as safe as the other."""
_SHAPING = frozenset({
    "strip", "lstrip", "rstrip", "replace", "partition", "rpartition", "startswith", "endswith", "scheme", "lower",
})  # fmt: skip
"""What shapes a text, which is a protection where the text is where somebody is sent to, or what is run."""
_DEMANDS = frozenset({Kind.REFUSAL, Kind.CHECK, Kind.ACCESS})
_DEMAND = re.compile(r"_?(require|check|verify|ensure|assert|enforce)_")
_OPTION = re.compile(r"^--([a-z][a-z-]+)?$")
_CONTROL = frozenset({"\r", "\n", "\0", "\r\n", "..", "\\", "//", "/../", "../", "/"})
_HARMLESS_RAISES = re.compile(
    r"NotImplemented|StopIteration|StopAsync|Skip|AttributeError|ImportError|KeyboardInterrupt|CancelledError|Deprecat|"
    r"SystemExit|UsageError|ImproperlyConfigured|AssertionError|GeneratorExit|KeyError|IndexError|RuntimeError|TypeError"
)
_TURNING_AWAY = frozenset({
    "abort", "HttpResponseForbidden", "HttpResponseBadRequest", "redirect_to_login", "send_error", "HTTPForbidden",
    "HTTPBadRequest", "HttpResponseNotAllowed", "HTTPNotFound",
})  # fmt: skip


def lost(
    pairs: Iterable[tuple[files.PythonFile, files.PythonFile]], new: Iterable[files.PythonFile] = ()
) -> dict[str, list[Loss]]:
    """What the places of these files (base, head) have fewer of, by the path of the head. What stands in a `new` file
    counts where it is called or inherited."""
    read = [(head.path, _by_place(base.tree), _by_place(head.tree)) for base, head in pairs]
    balance: Counter[tuple[Kind, str]] = Counter()
    for _, before, after in read:
        for items, sign in ((before, 1), (after, -1)):
            for item in (i for own in items.values() for i in own.items):
                balance[item.kind, item.name] += sign
    _fold_helpers(read, [_by_place(file.tree) for file in new])
    found: dict[str, list[Loss]] = {}
    for path, before, after in read:
        for place, had in before.items():
            if place in after:
                found.setdefault(path, []).extend(_losses(place, had.items, after[place].items, balance))
    return found


def _fold_helpers(read: list[tuple[str, Places, Places]], new: list[Places]) -> None:
    """A helper that goes together with its call takes its protections out of the caller; one that comes brings them.

    From a new file come functions and classes; its methods, which have names that many have, where they are inherited.
    """
    sides = [(before, after) for _, before, after in read]
    whole: list[tuple[Places, Places]] = [(places, {}) for places in new]
    top = [({name: own for name, own in places.items() if name and "." not in name}, there) for places, there in whole]
    for pairs, brought, inherited in (
        (sides, [], []),
        ([(after, before) for before, after in sides], top, whole),
    ):
        helpers: dict[str, list[Item]] = {}
        for here, there in (*pairs, *brought):
            for place, own in here.items():
                if place not in there and own.items:
                    helpers.setdefault(place.rsplit(".", 1)[-1], []).extend(own.items)
        for here, there in pairs:
            for place, own in here.items():
                if place not in there:
                    continue
                for name in sorted((own.names - there[place].names) & helpers.keys()):
                    line = own.lines.get(name, 0)
                    own.items.extend(msgspec.structs.replace(i, line=line) for i in helpers[name])
        _fold_ancestors([*pairs, *inherited])


def _fold_ancestors(pairs: list[tuple[Places, Places]]) -> None:
    """A class that gets an ancestor which comes with the change has in its methods what those of the ancestor have."""
    come = {place: own for here, there in pairs for place, own in here.items() if place not in there}
    for here, there in pairs:
        for place, own in here.items():
            owner, _, method = place.rpartition(".")
            if place not in there or owner not in here or owner not in there:
                continue
            for ancestor in sorted(here[owner].bases - there[owner].bases):
                inherited = come.get(f"{ancestor}.{method}")
                if inherited is not None:
                    own.items.extend(inherited.items)


def _losses(place: str, had: list[Item], has: list[Item], balance: Counter[tuple[Kind, str]]) -> Iterator[Loss]:
    """One loss for each kind of which there are fewer: one exchanged for another of its kind stays."""
    before, after = Counter((i.kind, i.name) for i in had), Counter((i.kind, i.name) for i in has)
    gone = {key: n - after[key] for key, n in before.items() if n > after[key] and balance[key] > 0}
    instead = any(k[0] in _DEMANDS and _DEMAND.match(k[1]) and n > before[k] for k, n in after.items())
    for kind in dict.fromkeys(kind for kind, _ in gone if kind is not Kind.ERROR):
        if instead and kind in _DEMANDS:
            continue  # a helper that demands the same is called now
        gained = sum(n - before[k] for k, n in after.items() if k[0] is kind and n > before[k])
        names = [name for k, name in gone if k is kind]
        if kind is Kind.REFUSAL and all(_BUILT_IN_ERROR.match(name) for name in names):
            gained += sum(n - before[k] for k, n in after.items() if k[0] is Kind.ERROR and n > before[k])
        if sum(n for k, n in gone.items() if k[0] is kind) > gained:
            first = next(i for i in had if i.kind is kind and i.name == names[0])
            yield Loss(kind=kind, place=place, name=", ".join(names[:3]), line=first.line)


def _by_place(tree: ast.Module) -> Places:
    """The protections of each place: of a function without those of functions inside of it."""
    found: Places = {"": Place()}
    imports = (n for n in tree.body if isinstance(n, ast.ImportFrom))
    aliases = {a.asname: a.name for n in imports for a in n.names if a.asname}
    pending: list[tuple[str, ast.AST]] = [("", tree)]
    while pending:
        place, node = pending.pop()
        for child in ast.iter_child_nodes(node):
            inner = place
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                inner = f"{place}.{child.name}".lstrip(".")
                found.setdefault(inner, Place())
                if isinstance(child, ast.ClassDef):
                    bases = {aliases.get(_name_of(base), _name_of(base)) for base in child.bases}
                    found[inner].bases.update(bases)
                    found[inner].lines.update(dict.fromkeys(bases, child.lineno))
                found[place].items.extend(_named(child.name, child.lineno))
                for decorator in child.decorator_list:
                    found[inner].items.extend(i for n in ast.walk(decorator) for i in _items(n))
                pending.extend((inner, part) for part in _parts(child))
                continue
            found[place].items.extend(_items(child))
            if isinstance(child, ast.Name | ast.Attribute):
                found[place].lines.setdefault(_name_of(child), child.lineno)
                if isinstance(child, ast.Attribute) and child.attr in _SHAPING:
                    found[place].shaping.append(Item(Kind.HOST, child.attr, child.lineno))
            pending.append((inner, child))
    for own in found.values():
        if any(_SINK.search(name) for name in own.lines):
            own.items.extend(own.shaping)
    return found


def _parts(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> list[ast.AST]:
    """A definition without its decorators and annotations, as trees whose children are looked at."""
    body = ast.Module(body=node.body, type_ignores=[])
    if isinstance(node, ast.ClassDef):
        return [body, ast.Tuple(elts=node.bases, ctx=ast.Load())]
    plain = [*node.args.defaults, *(d for d in node.args.kw_defaults if d is not None)]
    return [body, ast.Tuple(elts=plain, ctx=ast.Load())]


def _items(node: ast.AST) -> Iterator[Item]:  # noqa: C901 - one flat table, a form of code a row
    match node:
        case ast.Raise(exc=ast.expr() as raised):
            name = _name_of(raised.func if isinstance(raised, ast.Call) else raised)
            if name and name[0].isupper() and not _HARMLESS_RAISES.search(name):
                yield Item(Kind.REFUSAL, f"raise {name}", node.lineno)
            elif _OTHER_ERROR.search(name):
                yield Item(Kind.ERROR, f"raise {name}", node.lineno)
        case ast.Call(func=function, args=arguments):
            name = _name_of(function)
            if name in _TURNING_AWAY:
                yield Item(Kind.REFUSAL, name, node.lineno)
            elif name in ("append", "extend", "insert"):
                yield from (_option(a) for a in arguments if _is_option(a))
            elif name in ("match", "fullmatch") and isinstance(function, ast.Attribute):
                yield Item(Kind.CHECK, ast.unparse(function), node.lineno)
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            yield from _compared(node, [left, *comparators], ops)
        case ast.Attribute(value=ast.Name(id="request") | ast.Attribute(attr="request"), attr="user"):
            yield Item(Kind.ACCESS, "request.user", node.lineno)
        case ast.Name(id=name, ctx=ast.Load()) | ast.Attribute(attr=name):
            yield from _named(name, node.lineno)
        case ast.keyword(arg=str() as name):
            if not (isinstance(node.value, ast.Constant) and node.value.value in (None, False)):
                yield from _named(name, node.lineno)
        case ast.Constant(value=int() as number) if number in _PRIVATE_MODES:
            yield Item(Kind.ACCESS, oct(number), node.lineno)
        case ast.Constant(value=str() | bytes() as value):
            text = value.decode("latin-1") if isinstance(value, bytes) else value
            if _HEADERS.match(text):
                yield Item(Kind.HEADER, text.lower(), node.lineno)
        case ast.List(elts=elements):
            yield from (_option(e) for e in elements if _is_option(e))
        case ast.If(test=test, body=body) if isinstance(body[-1], ast.Return | ast.Continue | ast.Raise | ast.Break):
            yield Item(Kind.SKIP, ast.unparse(test), node.lineno)
        case _:
            return


def _compared(node: ast.Compare, sides: list[ast.expr], ops: list[ast.cmpop]) -> Iterator[Item]:
    if any(isinstance(s, ast.Attribute) and s.attr == "method" for s in sides):
        yield Item(Kind.METHOD, "method", node.lineno)
    if any(isinstance(op, ast.In | ast.NotIn) for op in ops) and isinstance(sides[0], ast.Constant):
        value = sides[0].value
        text = value.decode("latin-1") if isinstance(value, bytes) else value
        if text in _CONTROL:
            yield Item(Kind.CHARACTERS, repr(text), node.lineno)


def _named(name: str, line: int) -> Iterator[Item]:
    if name in _TEMPORARY:
        yield Item(Kind.CRYPTO, "mkstemp", line)
        return
    if _HEADER_NAMES.match(name):
        yield Item(Kind.HEADER, name.lower(), line)
        return
    for kind, pattern in _NAMES:
        if pattern.search(name):
            yield Item(kind, name, line)
            return


def _is_option(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and bool(_OPTION.match(node.value))


def _option(node: ast.expr) -> Item:
    return Item(Kind.OPTION, ast.unparse(node), node.lineno)


def _name_of(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
