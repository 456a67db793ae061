"""The house rules that no linter knows; each function returns the violations it finds, one sentence each."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TEXT_SUFFIXES = {".cfg", ".csv", ".html", ".json", ".md", ".py", ".sh", ".sql", ".toml", ".txt", ".yaml", ".yml", ""}
SOURCES = ("omo_core", "benchmarks", "tests", "tools", "docs", ".ci")

MAX_FILE_LINES = 400
MAX_BODY_LINES = 60

# What a kernel module may see besides modules of ours that see no more.
KERNEL_IMPORTS = {"__future__", "collections", "dataclasses", "math", "numba", "numpy", "typing"}
KERNEL_DECORATOR = ".kernel"

# Reading the world's clock or dice. A generator made from an explicit seed is not among them.
CLOCKS = {
    *("datetime.datetime.now", "datetime.datetime.utcnow", "datetime.datetime.today", "datetime.date.today"),
    *("time.time", "time.time_ns", "time.monotonic", "time.monotonic_ns", "time.perf_counter", "time.perf_counter_ns"),
    *("time.localtime", "time.gmtime", "os.urandom"),
}
DICE = ("random.", "secrets.", "uuid.uuid1", "uuid.uuid4", "uuid.uuid6", "uuid.uuid7", "uuid_utils.", "numpy.random.")
SEEDED = {"random.Random", "numpy.random.default_rng", "numpy.random.PCG64", "numpy.random.SeedSequence"}
NOT_DICE = {"uuid_utils.UUID", "numpy.random.Generator"}

# The brackets keep these patterns from finding themselves.
UNFINISHED = re.compile("[T]ODO|[F]IXME|[X]XX")
WORKPLACE = [
    re.compile(r"(?<![\w.:/])/(?:work|root|tmp)(?![\w-])"),
    re.compile(r"\bissue #\d+", re.IGNORECASE),
    re.compile("[C]laude|[A]nthropic|[s]ub-?agent|(?:this|previous|last) [s]ession|[s]hared/design", re.IGNORECASE),
]


@dataclass(frozen=True)
class Module:
    """One Python file: its path from the repository's root, its text and its tree."""

    path: str
    text: str
    tree: ast.Module

    @classmethod
    def of(cls, path: str, text: str) -> Module:
        return cls(path, text, ast.parse(text, path))

    @cached_property
    def nodes(self) -> list[ast.AST]:
        return list(ast.walk(self.tree))

    @cached_property
    def imports(self) -> dict[str, str]:
        """Local name -> full dotted name, for every import in the file."""
        names: dict[str, str] = {}
        for node in self.nodes:
            if isinstance(node, ast.Import):
                names |= {alias.asname or alias.name.partition(".")[0]: _bound(alias) for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
        return names


@cache
def library() -> list[Module]:
    """Every module of the library, read once."""
    files = sorted((ROOT / "omo_core").rglob("*.py"))
    return [Module.of(file.relative_to(ROOT).as_posix(), file.read_text(encoding="utf-8")) for file in files]


def texts() -> Iterator[tuple[str, str]]:
    """Every text file of the repository with its path; what was built or installed is not among them."""
    files = [file for file in ROOT.iterdir() if file.is_file()]
    for folder in SOURCES:
        files += [file for file in (ROOT / folder).rglob("*") if file.is_file() and "__pycache__" not in file.parts]
    for file in sorted(files):
        if file.suffix in TEXT_SUFFIXES and file.name not in ("LICENSE", ".git"):
            yield file.relative_to(ROOT).as_posix(), file.read_text(encoding="utf-8")


def kernels_without_twin(modules: Iterable[Module], twins: ast.Module) -> list[str]:
    """Each kernel has a twin of its name; one whose name starts with _ is a part of the kernels of its own module."""
    known = {node.name for node in twins.body if isinstance(node, ast.FunctionDef)}
    found = []
    for module in modules:
        for name in _kernels(module):
            if not name.startswith("_") and name not in known:
                found.append(f"{module.path}: kernel {name} has no naive twin in tests/naive*.py")
            if name.startswith("_") and _names_used(module).count(name) == 0:
                found.append(f"{module.path}: no kernel of this module uses {name}")
    return found


def kernel_modules_that_know_too_much(modules: Iterable[Module]) -> list[str]:
    """A module with kernels sees numpy, numba, the decorator, and modules of ours that see no more than that."""
    modules = list(modules)
    simple: set[str] = set()
    while more := {
        _dotted(module.path)
        for module in modules
        if _dotted(module.path) not in simple and not _beyond_arrays(module, simple)
    }:
        simple |= more
    return [
        f"{module.path}: a kernel module may not import {imported}"
        for module in modules
        if _kernels(module) or module.path.endswith("kernels.py")
        for imported in _beyond_arrays(module, simple)
    ]


def _beyond_arrays(module: Module, simple: set[str]) -> list[str]:
    return [
        imported
        for imported in module.imports.values()
        if imported.partition(".")[0] not in KERNEL_IMPORTS
        and not imported.endswith(KERNEL_DECORATOR)
        and not {imported, imported.rpartition(".")[0]} & simple
    ]


def _dotted(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def prints(modules: Iterable[Module], allowed: Iterable[str]) -> list[str]:
    """The library does not write to a terminal that belongs to its host."""
    return [
        f"{module.path}:{call.lineno}: print"
        for module in modules
        if not _is_allowed(module.path, allowed)
        for call in _calls(module)
        if isinstance(call.func, ast.Name) and call.func.id == "print"
    ]


def uninjected_clocks_and_dice(modules: Iterable[Module], allowed: Mapping[str, str]) -> list[str]:
    """Time, ids and chance come from what the hub was given. References count as well as calls.

    `allowed` maps a file or a folder with its slash, or one of these with `::dotted.name`, to the reason.
    """
    found = []
    for module in modules:
        if _is_allowed(module.path, allowed):
            continue
        names = module.imports
        seeded = {id(call.func) for call in _calls(module) if call.args or call.keywords}
        for node in module.nodes:
            full = _full_name(node, names)
            if (
                full is None
                or full in NOT_DICE
                or _is_allowed(module.path, _where_allowed(full, allowed))
                or (full in SEEDED and id(node) in seeded)
            ):
                continue
            if full in CLOCKS or full.startswith(DICE):
                found.append(f"{module.path}:{getattr(node, 'lineno', 0)}: {full} is not injected")
    return found


def unfinished(files: Iterable[tuple[str, str]]) -> list[str]:
    """Nothing says that it will be done later: neither a Python comment nor a document."""
    found = []
    for path, text in files:
        lines: Iterable[tuple[int, str]] = enumerate(text.splitlines(), 1)
        if not UNFINISHED.search(text):  # taking a file apart is a hundred times as much work
            continue
        if path.endswith(".py"):
            tokens = tokenize.generate_tokens(io.StringIO(text).readline)
            lines = [(token.start[0], token.string) for token in tokens if token.type == tokenize.COMMENT]
        elif not path.endswith(".md"):
            continue
        found += [f"{path}:{number}: unfinished" for number, line in lines if UNFINISHED.search(line)]
    return found


def workplace_words(files: Iterable[tuple[str, str]]) -> list[str]:
    """Code and documents know nothing of the machine and the circumstances they were written in."""
    return [
        f"{path}:{number}: {match.group()!r} means nothing to a reader elsewhere"
        for path, text in files
        for pattern in WORKPLACE
        if pattern.search(text)
        for number, line in enumerate(text.splitlines(), 1)
        if (match := pattern.search(line))
    ]


def too_long(modules: Iterable[Module], ratchet: Mapping[str, tuple[int, str]]) -> list[str]:
    """Files and function bodies over their limit, and ratchets that are looser than they need be."""
    sizes: dict[str, tuple[int, int]] = {}
    for module in modules:
        sizes[module.path] = (len(module.text.splitlines()), MAX_FILE_LINES)
        sizes |= {f"{module.path}::{name}": (size, MAX_BODY_LINES) for name, size in _body_sizes(module.tree)}
    found = [
        f"{what} has {size} lines, more than {ratchet.get(what, (limit, ''))[0]}"
        for what, (size, limit) in sizes.items()
        if size > ratchet.get(what, (limit, ""))[0]
    ]
    for what, (allowed, reason) in ratchet.items():
        size, limit = sizes.get(what, (0, 0))
        if size <= limit:
            found.append(f"{what} needs no ratchet any more")
        elif not reason or allowed > size * 1.1:
            found.append(f"{what} has {size} lines: tighten its ratchet of {allowed} and give the reason")
    return found


def unlocked_requirements(path: str, text: str) -> list[str]:
    """Every requirement is one exact version with hashes, and nothing says where to fetch it."""
    found = [
        f"{path}:{number}: {line.strip()!r} is an address"
        for number, line in enumerate(text.splitlines(), 1)
        if re.search(r"://|file:|^\s*-(?!-hash=)|\s@\s|index-url|find-links", line)
        and not line.strip().startswith("--hash=sha256:")
    ]
    for entry in re.split(r"\n(?=\S)", text.strip()):
        if not re.match(r"[A-Za-z0-9._-]+==[^\s;]+", entry):
            found.append(f"{path}: {entry.splitlines()[0]!r} is not an exact version")
        elif "--hash=sha256:" not in entry:
            found.append(f"{path}: {entry.splitlines()[0]!r} has no hash")
    return found


def locked_names(text: str) -> dict[str, set[str]]:
    """Package -> its locked versions (several where they depend on the platform)."""
    locked: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([A-Za-z0-9._-]+)==([^\s;]+)", text, re.MULTILINE):
        locked.setdefault(re.sub(r"[-_.]+", "-", name).lower(), set()).add(version)
    return locked


def _is_allowed(path: str, allowed: Iterable[str]) -> bool:
    return any(path == entry or (entry.endswith("/") and path.startswith(entry)) for entry in allowed)


def _where_allowed(name: str, allowed: Iterable[str]) -> list[str]:
    return [entry.removesuffix(f"::{name}") for entry in allowed if entry.endswith(f"::{name}")]


def _kernels(module: Module) -> list[str]:
    return [
        node.name
        for node in module.nodes
        if isinstance(node, ast.FunctionDef)
        for decorator in node.decorator_list
        if _last_name(decorator.func if isinstance(decorator, ast.Call) else decorator) in ("kernel", "njit", "jit")
    ]


def _last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _names_used(module: Module) -> list[str]:
    return [node.id for node in module.nodes if isinstance(node, ast.Name)]


def _calls(module: Module) -> Iterator[ast.Call]:
    return (node for node in module.nodes if isinstance(node, ast.Call))


def _bound(alias: ast.alias) -> str:
    return alias.name if alias.asname else alias.name.partition(".")[0]


def _full_name(node: ast.AST, names: Mapping[str, str]) -> str | None:
    """`np.random.default_rng` -> `numpy.random.default_rng`; None for anything but a name that was imported."""
    if isinstance(node, ast.Name):
        return names.get(node.id)
    if isinstance(node, ast.Attribute):
        before = _full_name(node.value, names)
        return f"{before}.{node.attr}" if before else None
    return None


def _body_sizes(tree: ast.AST, prefix: str = "") -> Iterator[tuple[str, int]]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) and len(node.body) > 1 else node.body
            yield prefix + node.name, (node.end_lineno or 0) - body[0].lineno + 1
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield from _body_sizes(node, f"{prefix}{node.name}.")
        else:
            yield from _body_sizes(node, prefix)
