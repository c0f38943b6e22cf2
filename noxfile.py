"""Every check, each in an environment of its own: ``nox`` runs lint, types and tests; ``nox -l`` lists all.

``python3 dev.py`` does the same in one shared environment and needs nothing but pip; nox is for several Pythons.
"""

from __future__ import annotations

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "venv"
nox.options.sessions = ["lint", "types", "tests"]
nox.options.reuse_existing_virtualenvs = True

PROJECT = nox.project.load_toml("pyproject.toml")


def install(session: nox.Session, *groups: str) -> None:
    """Install this project, editable, and *groups* of its dependency groups."""
    session.install("--editable", ".", *nox.project.dependency_groups(PROJECT, *groups))


@nox.session
def lint(session: nox.Session) -> None:
    """Ruff: rules and format."""
    session.install(*nox.project.dependency_groups(PROJECT, "lint"))
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")


@nox.session
def types(session: nox.Session) -> None:
    """mypy --strict over sources and tests."""
    install(session, "lint", "test")
    session.run("mypy")


@nox.session(python=["3.11", "3.12", "3.13"])
def tests(session: nox.Session) -> None:
    """The test suite; arguments after -- go to pytest."""
    install(session, "test")
    session.run("pytest", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """The benchmark; arguments after -- go to it."""
    install(session, "bench")
    session.install("pip")
    session.run("python", "-m", "bench", *session.posargs)
