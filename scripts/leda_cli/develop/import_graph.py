"""Which modules a handler reaches: its imports, followed through the source without running it.

A package that carries only what its function imports starts faster: Lambda loads and compiles every
module from a read-only folder at each cold start, so no bytecode is ever kept there.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field

from leda_cli.base.errors import LedaError


@dataclass(frozen=True, slots=True)
class Module:
    """A module that a package may carry: its dotted name, its source and who ships it."""

    name: str
    is_package: bool
    read: Callable[[], bytes]
    owner: str
    """The distribution it comes from; "" for the project's own code."""


@dataclass(frozen=True, slots=True)
class Import:
    """One name that a module imports, made absolute."""

    name: str
    line: int
    certain: bool
    """The import runs whenever the module is loaded: not in a function, an `if` or a `try`."""
    optional: bool
    """The import stands in a `try` that survives an ImportError."""
    explicit: bool
    """`name` is a module. Otherwise it may be an attribute: the b of `from a import b`."""
    star: bool = False


@dataclass(slots=True)
class Reached:
    """What `follow` found."""

    modules: set[str] = field(default_factory=set)
    by_name: set[str] = field(default_factory=set)
    """Modules among them whose imports the source does not tell: of a computed name, or with a changed
    search path."""


_BY_NAME = ("import_module", "__import__", "iter_modules", "walk_packages")

_Parsed = tuple[tuple[Import, ...], bool]
_parsed: dict[tuple[str, bool, bytes], _Parsed] = {}


def imports_of(name: str, is_package: bool, source: bytes) -> _Parsed:
    """Return the imports of a module's source, and whether it has others that the source does not tell.

    Imports inside functions count: they run later, and the package must have them then. Those under
    `if TYPE_CHECKING:` never run and do not count.
    """
    key = (name, is_package, source)
    if key not in _parsed:
        tree = ast.parse(source, filename=name)
        package = name if is_package else name.rpartition(".")[0]
        _parsed[key] = (
            tuple(_imports(tree.body, package, True, False)),
            _computes_names(tree, source),
        )
    return _parsed[key]


def _imports(
    nodes: Iterable[ast.AST], package: str, certain: bool, optional: bool
) -> Iterator[Import]:
    for node in nodes:
        match node:
            case ast.Import(names=names):
                for alias in names:
                    yield Import(alias.name, node.lineno, certain, optional, True)
            case ast.ImportFrom(module=module, names=names, level=level):
                base = _absolute(module or "", level, package)
                if base:
                    yield Import(base, node.lineno, certain, optional, True)
                for alias in names:
                    if alias.name == "*":
                        yield Import(base, node.lineno, certain, optional, False, star=True)
                    else:
                        name = f"{base}.{alias.name}" if base else alias.name
                        yield Import(name, node.lineno, certain, optional, False)
            case ast.If(test=test, body=body, orelse=orelse):
                if not _is_type_checking(test):
                    yield from _imports(body, package, False, optional)
                yield from _imports(orelse, package, False, optional)
            case ast.Try(body=body, handlers=handlers, orelse=orelse, finalbody=finalbody):
                survives = any(_catches_import_error(handler.type) for handler in handlers)
                yield from _imports(body, package, certain and not survives, optional or survives)
                for handler in handlers:
                    yield from _imports(handler.body, package, False, optional)
                yield from _imports(orelse, package, False, optional)
                yield from _imports(finalbody, package, certain, optional)
            case ast.With(items=items, body=body):
                survives = any(_suppresses(item.context_expr) for item in items)
                yield from _imports(body, package, certain and not survives, optional or survives)
            case ast.ClassDef(body=body):
                yield from _imports(body, package, certain, optional)
            case _:  # an import is a statement: expressions have none
                for block in ("body", "orelse", "finalbody", "handlers", "cases"):
                    inner = getattr(node, block, None)
                    if isinstance(inner, list):
                        yield from _imports(inner, package, False, optional)


def _absolute(module: str, level: int, package: str) -> str:
    """Resolve `from ..module import` as the interpreter does."""
    if level == 0:
        return module
    parents = package.split(".") if package else []
    base = parents[: len(parents) - (level - 1)]
    return ".".join([*base, module] if module else base)


def _is_type_checking(test: ast.expr) -> bool:
    return (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING") or (
        isinstance(test, ast.Attribute) and test.attr == "TYPE_CHECKING"
    )


def _catches_import_error(caught: ast.expr | None) -> bool:
    if caught is None:
        return True
    names = caught.elts if isinstance(caught, ast.Tuple) else [caught]
    return any(
        isinstance(name, ast.Name)
        and name.id in {"ImportError", "ModuleNotFoundError", "Exception", "BaseException"}
        for name in names
    )


def _suppresses(manager: ast.expr) -> bool:
    called = manager.func if isinstance(manager, ast.Call) else manager
    return (called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")) == (
        "suppress"
    )


def _computes_names(tree: ast.AST, source: bytes) -> bool:
    """Whether the source calls `importlib.import_module(name)` and its like, or changes `sys.path`."""
    if not any(name.encode() in source for name in (*_BY_NAME, "sys.path")):
        return False
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called.startswith("sys.path.") or called.rpartition(".")[2] in _BY_NAME:
                return True
    return False


def follow(
    roots: Iterable[str],
    modules: Mapping[str, Module],
    *,
    elsewhere: Callable[[str], bool],
    absent: Set[str],
    reviewed: Mapping[str, str],
    advice: str,
) -> Reached:
    """Return the modules that loading and running `roots` can import.

    modules: everything a package may carry, by dotted name.
    elsewhere: says of a top-level name that the interpreter or the runtime has it.
    absent: top-level names that nobody will have. A late import of a module that cannot load without
        one of them fails in the same way whether the module is carried or not; so it is not.
    reviewed: modules that compute names, which somebody read and found to reach nothing more; any
        other one brings its whole distribution, for what it imports cannot be known.
    Raises LedaError for an import that would fail when the function starts; `advice` is its fix.
    """
    found = Reached()
    namespaces = {name.rsplit(".", n)[0] for name in modules for n in range(1, name.count(".") + 1)}
    certain: dict[str, bool] = {}
    queue = [(root, True) for root in sorted(roots)]
    while queue:
        name, sure = queue.pop()
        if name in certain and (certain[name] or not sure):
            continue
        certain[name] = sure
        module = modules[name]
        found.modules.add(name)
        parsed, computes = imports_of(name, module.is_package, module.read())
        if computes:
            found.by_name.add(name)
            if name not in reviewed and module.owner:
                queue += [(n, False) for n, m in modules.items() if m.owner == module.owner]
        for item in parsed:
            eager = sure and item.certain
            targets = _carried(item.name, modules)
            if not eager and module.owner and not _loads(targets, modules, absent):
                continue
            queue += [(target, eager) for target in targets]
            if item.star:
                within = item.name + "."
                queue += [(n, False) for n in modules if n.rpartition(".")[0] + "." == within]
            if (
                item.explicit
                and not item.optional
                and (eager or not module.owner)
                and not _known(item.name, modules, namespaces, elsewhere)
            ):
                raise LedaError(
                    f"{name} (line {item.line}) imports {item.name}, which no package would have.",
                    advice,
                )
    return found


def _carried(name: str, modules: Mapping[str, Module]) -> list[str]:
    """The module `name` and its parent packages, as far as they can be carried."""
    parts = name.split(".")
    prefixes = (".".join(parts[:n]) for n in range(1, len(parts) + 1))
    return [prefix for prefix in prefixes if prefix in modules]


def _loads(names: Iterable[str], modules: Mapping[str, Module], absent: Set[str]) -> bool:
    """Whether no module that certainly loads with `names` certainly imports what is absent."""
    seen: set[str] = set()
    queue = list(names)
    while queue:
        name = queue.pop()
        if name in seen:
            continue
        seen.add(name)
        module = modules[name]
        for item in imports_of(name, module.is_package, module.read())[0]:
            if item.certain and item.explicit:
                if item.name.partition(".")[0] in absent:
                    return False
                queue += _carried(item.name, modules)
    return True


def _known(
    name: str,
    modules: Mapping[str, Module],
    namespaces: Set[str],
    elsewhere: Callable[[str], bool],
) -> bool:
    """Whether `name` will be found; a namespace is a folder of modules, such as google's."""
    if name in modules or name in namespaces:
        return True
    top = name.partition(".")[0]
    return top not in modules and top not in namespaces and elsewhere(top)
