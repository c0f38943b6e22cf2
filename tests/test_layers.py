"""The table of design section 11 holds: each layer imports only from those below it, and peers never from peers."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "src" / "safe_install"

BASE = {"doors", "errors", "events", "interruption", "metadata", "models", "protocols", "redact", "settings"}
# What each unit may import, apart from itself. A unit is a module or a package directly below `safe_install`.
ALLOWED: dict[str, set[str]] = {
    "errors": set(),
    "redact": set(),
    "models": set(),
    "events": set(),
    "interruption": set(),
    "protocols": {"models"},
    "metadata": {"errors", "models"},
    "settings": {"errors", "models"},
    "doors": {"settings"},
    "fs": BASE,
    "locks": BASE | {"fs"},
    "store": BASE | {"fs", "locks"},
    "index": BASE | {"fs", "locks", "store"},
    "resolve": BASE,
    "build": BASE | {"fs", "locks", "store"},
    "install": BASE | {"fs", "locks", "store"},
    "probe": BASE | {"fs", "locks", "store"},
    "wrapping": BASE | {"fs", "locks"},
    "engine": BASE | {"fs", "locks", "store", "index", "resolve", "build", "install", "probe"},
    "platforms": BASE | {"fs", "locks", "store", "index", "resolve", "build", "install", "probe", "engine"},
    "cli": BASE
    | {"fs", "locks", "store", "index", "resolve", "build", "install", "probe", "wrapping", "engine", "platforms"},
}
# Reading the environment, printing and exiting belong to the command line alone.
FORBIDDEN_BELOW_CLI = {"os.environ", "os.environb", "os.getenv", "sys.exit", "os._exit", "sys.stdout", "sys.stderr"}
# Scripts that run in the target interpreter, by themselves.
STANDALONE = {"_compile_worker.py", "_probe.py"}


def modules() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if path.name not in STANDALONE)


def unit_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return parts[0]


def imported_units(path: Path) -> set[str]:
    """The units that a module imports, at its top or inside functions, for types or not."""
    parts = ("safe_install", *path.relative_to(PACKAGE).with_suffix("").parts)
    package = parts[:-1]
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names: list[tuple[str, ...]] = []
        if isinstance(node, ast.Import):
            names = [tuple(alias.name.split(".")) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            stem = (*base, *(node.module.split(".") if node.module else ()))
            names = [(*stem, alias.name) for alias in node.names]
        for name in names:
            if name[0] == "safe_install" and len(name) > 1:
                found.add(name[1])
    return found - {"__version__"}


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_module_imports_only_from_lower_layers(path: Path) -> None:
    unit = unit_of(path)
    if unit in {"__init__", "__main__"}:
        return
    assert unit in ALLOWED, f"{unit} has no place in the table"
    assert imported_units(path) - {unit} <= ALLOWED[unit]


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_the_command_line_prints_exits_or_reads_the_environment(path: Path) -> None:
    if unit_of(path) in {"cli", "__main__"}:
        return
    tree = ast.parse(path.read_text(encoding="utf-8"))
    used = {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    calls = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    assert not used & FORBIDDEN_BELOW_CLI
    assert not calls & {"print", "exit", "quit", "input"}


def test_bare_import_is_light() -> None:
    """`import safe_install` costs nothing: no HTTP client, no resolver, no command-line library."""
    script = "import sys, safe_install; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout.split()
    assert not {"httpx", "click", "rich", "resolvelib", "packaging", "asyncio", "ctypes"} & set(loaded)
