"""Check an environment that was made from this folder's `requirements.txt`: run it with that environment's Python.

It compares what is installed with the pins, imports every top-level module of every distribution, and sends the
service two requests.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.metadata
import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main() -> int:
    """Do all checks; the first that fails ends the program with a traceback or a message."""
    installed = {normalized(found.name): found for found in importlib.metadata.distributions()}
    pinned = pins(HERE / "requirements.txt")
    wrong = {name: found.version for name, found in installed.items() if found.version not in pinned.get(name, ())}
    if wrong or len(installed) < 40:
        print(f"not what requirements.txt says: {wrong or installed}", file=sys.stderr)
        return 1
    modules = sorted({name for found in installed.values() for name in top_level_modules(found)})
    for name in modules:
        importlib.import_module(name)
    answer = asyncio.run(ask_the_service())
    files = sum(len(found.files or ()) for found in installed.values())
    print(f"{len(installed)} distributions as pinned, {files} files, {len(modules)} modules imported in {sys.prefix}")
    print(f"the service answered {answer}")
    return 0


def pins(file: Path) -> dict[str, set[str]]:
    """The versions that the lock names; some projects have one for each range of Python versions."""
    found: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([\w.-]+)==(\S+)", file.read_text(encoding="utf-8"), re.MULTILINE):
        found.setdefault(normalized(name), set()).add(version)
    return found


def normalized(name: str) -> str:
    """The name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def top_level_modules(found: importlib.metadata.Distribution) -> set[str]:
    """The importable names directly below site-packages that a distribution brings."""
    names = set()
    for file in found.files or ():
        first = file.parts[0]
        if len(file.parts) > 1 and file.suffix in {".py", ".so", ".pyd"} and first.isidentifier():
            names.add(first)
        elif len(file.parts) == 1 and file.suffix in {".py", ".so", ".pyd"}:
            names.add(first.partition(".")[0])
    return names - {"__pycache__"}


async def ask_the_service() -> object:
    """Store three readings and ask for their statistics, without a socket."""
    import httpx
    from app import app

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service") as client:
        readings = [{"sensor": "roof", "celsius": value} for value in (11.5, 12.0, 15.5)]
        (await client.post("/readings", json=readings)).raise_for_status()
        answer = (await client.get("/statistics")).raise_for_status().json()
    if answer != {"roof": {"mean": 13.0, "p90": 14.8}}:
        message = f"wrong answer of the service: {answer}"
        raise RuntimeError(message)
    return answer


if __name__ == "__main__":
    sys.exit(main())
