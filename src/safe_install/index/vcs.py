"""Check out a revision of a git repository into a folder of ours, for building from it.

git runs without any prompt and outside of whatever repository or hook we were started from. A local repository is
copied, never hard-linked: a build that edits its checkout must not edit the origin's objects (uv#11420). After a
failure nothing is left of the folder. Credentials that the URL holds do not stay in the checkout's configuration.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from ..errors import InputError, NetworkError
from ..events import ignore
from ..fs.remove import remove_tree
from ..redact import redact_url
from .auth import split_login
from .local import local_path
from .pages import offline_error
from .patience import PassingError, Patience

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from ..events import EventSink
    from ..models import VcsSource

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
# Where git thinks it is when it was started by a hook; a clone must know nothing of that.
_FOREIGN_VARIABLES = frozenset(
    {
        "GIT_DIR",
        "GIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_COMMON_DIR",
        "GIT_OBJECT_DIRECTORY",
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_NAMESPACE",
        "GIT_PREFIX",
    }
)
# What git and its helpers say when the network, not the request, is at fault.
_PASSING = re.compile(
    r"Could not resolve host|Connection (?:reset|refused|timed out)|Operation (?:timed out|too slow)|early EOF"
    r"|RPC failed|unexpected disconnect|hung up unexpectedly|returned error: (?:429|5\d\d)|gnutls_handshake|SSL_read",
)
_SHOWN_LINES = 12
_REMOVAL_BUDGET = 10.0


def checkout(
    source: VcsSource,
    folder: Path,
    *,
    env: Mapping[str, str],
    timeout: float = 30.0,
    retry_budget: float = 0.0,
    offline: bool = False,
    sink: EventSink = ignore,
) -> VcsSource:
    """Clone *source* to *folder*, with its submodules, and return it with `commit_id` filled in.

    :param folder: must not exist; it is removed again after an error.
    :param env: the variables that git gets; none are read from this process.
    :param timeout: seconds without progress after which a transfer is given up.
    :param retry_budget: seconds for which failures of the network are retried; 0 tries once.
    :param offline: refuse everything but local repositories.
    :raises NetworkError: ``git-missing``, ``vcs-failed`` (with the end of what git said), ``revision-not-found``,
        ``subdirectory-missing``, ``offline``.
    :raises InputError: ``vcs-unsupported``, ``revision-invalid``.

    A revision is looked up as pip does: a branch of the origin, then a tag, then anything git understands; a full
    commit id is never taken for a branch of that name.
    """
    if source.vcs != "git":
        message = f"could not check out {redact_url(source.url)}: only git is supported, not {source.vcs}"
        raise InputError(message, code="vcs-unsupported", hint="install a wheel or an sdist of it instead")
    for revision in (source.revision, source.commit_id):
        if revision is not None and (not revision or revision.startswith("-") or not revision.isprintable()):
            message = f"{revision!r} is no revision of {redact_url(source.url)}"
            raise InputError(message, code="revision-invalid", hint="write git+URL@REVISION")
    local = local_path(source.url) is not None and not _is_scp_like(source.url)
    if offline and not local:
        raise offline_error(f"the repository of {source.url}", source.url)
    git = _Git(source, folder, env, timeout=timeout)
    patience = Patience(f"clone {redact_url(source.url)}", budget=retry_budget, sink=sink, sleep=time.sleep)
    while True:
        try:
            with _removed_on_failure(folder):
                return replace(source, commit_id=git.checkout(local=local))
        except PassingError as failure:
            patience.wait(failure)


class _Git:
    """Runs git for one checkout."""

    def __init__(self, source: VcsSource, folder: Path, env: Mapping[str, str], *, timeout: float) -> None:
        executable = shutil.which("git", path=env.get("PATH", os.defpath))
        if executable is None:
            raise NetworkError(
                f"could not check out {redact_url(source.url)}: there is no git on PATH",
                code="git-missing",
                hint="install git, or use a wheel or an sdist instead of a repository",
            )
        self._executable = executable
        self._source = source
        self._folder = folder
        self._env = self._environment(env, timeout)

    def checkout(self, *, local: bool) -> str:
        """Clone, find the commit, write the files; return the commit's full id."""
        url = self._source.url
        # Blobs of other commits are not needed, but all commits and tags are: versions are made from them.
        depth = ["--no-hardlinks"] if local else ["--filter=blob:none"]
        self._run("clone", "--quiet", "--no-checkout", *depth, "--", url, str(self._folder), in_folder=False)
        commit = self._commit()
        self._run("checkout", "--quiet", "--detach", commit)
        if (self._folder / ".gitmodules").exists():
            self._run("submodule", "update", "--init", "--recursive", "--quiet")
        plain = split_login(url)[2]
        if plain != url and not url.startswith("ssh:"):
            self._run("remote", "set-url", "origin", plain)
        self._check_subdirectory()
        return commit

    def _commit(self) -> str:
        wanted = self._source.commit_id or self._source.revision
        if wanted is None:
            return self._run("rev-parse", "--verify", "HEAD^{commit}").strip()
        exact = _COMMIT.fullmatch(wanted) is not None
        names = (wanted,) if exact else (f"refs/remotes/origin/{wanted}", f"refs/tags/{wanted}", wanted)
        found = self._first_commit(names)
        if found is None and (exact or wanted.startswith("refs/")):
            # A commit of no branch, or a ref that clones do not bring (such as that of a pull request).
            self._run("fetch", "--quiet", "origin", wanted)
            found = self._first_commit(("FETCH_HEAD",))
        if found is None:
            raise NetworkError(
                f"could not check out {redact_url(self._source.url)}: it has no revision {wanted!r}",
                code="revision-not-found",
                hint="check the part after @: a branch, a tag, or a commit id",
            )
        return found

    def _first_commit(self, names: tuple[str, ...]) -> str | None:
        for name in names:
            result = self._start("rev-parse", "--quiet", "--verify", f"{name}^{{commit}}")
            if result.returncode == 0:
                return result.stdout.strip()
        return None

    def _check_subdirectory(self) -> None:
        subdirectory = self._source.subdirectory
        if subdirectory is None:
            return
        root = self._folder.resolve()
        place = (root / subdirectory).resolve()
        if not place.is_dir() or not place.is_relative_to(root):
            raise NetworkError(
                f"{redact_url(self._source.url)} has no folder {subdirectory!r} at this revision",
                code="subdirectory-missing",
                hint="check the part after #subdirectory=",
            )

    def _run(self, *arguments: str, in_folder: bool = True) -> str:
        result = self._start(*arguments, in_folder=in_folder)
        if result.returncode == 0:
            return result.stdout
        said = [redact_url(line) for line in result.stderr.splitlines() if line.strip()][-_SHOWN_LINES:]
        error = NetworkError(
            f"could not check out {redact_url(self._source.url)}: git {arguments[0]} failed",
            code="vcs-failed",
            context=tuple(self._without_secrets(line) for line in said),
            hint="try the same with git itself; credentials come from its own helpers, ssh keys, or the URL",
        )
        if _PASSING.search(result.stderr):
            raise PassingError(error, reason=error.context[-1] if error.context else "the network failed")
        raise error

    def _start(self, *arguments: str, in_folder: bool = True) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self._executable, "-c", "advice.detachedHead=false", *arguments],
            cwd=self._folder if in_folder else None,
            env=self._env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )

    def _without_secrets(self, line: str) -> str:
        password = split_login(self._source.url)[1]
        return line.replace(password, "***") if password else line

    def _environment(self, env: Mapping[str, str], timeout: float) -> dict[str, str]:
        seconds = str(max(1, int(timeout)))
        made = {name: value for name, value in env.items() if name not in _FOREIGN_VARIABLES}
        made["GIT_TERMINAL_PROMPT"] = "0"
        made["LC_ALL"] = "C"
        made.setdefault("GIT_HTTP_LOW_SPEED_LIMIT", "1")
        made.setdefault("GIT_HTTP_LOW_SPEED_TIME", seconds)
        if "GIT_SSH_COMMAND" not in made and "GIT_SSH" not in made and not self._configured_ssh(made):
            # ssh asks at the terminal itself, whatever git says.
            made["GIT_SSH_COMMAND"] = f"ssh -o BatchMode=yes -o ConnectTimeout={seconds} -o ServerAliveInterval=10"
        return made

    def _configured_ssh(self, env: Mapping[str, str]) -> bool:
        command = [self._executable, "config", "--get", "core.sshCommand"]
        return subprocess.run(command, env=env, capture_output=True, check=False).returncode == 0


def _is_scp_like(url: str) -> bool:
    """Whether git reads it as ``[user@]host:path``, that is, over ssh."""
    return "://" not in url and re.match(r"[^/\\]{2,}:", url) is not None


@contextmanager
def _removed_on_failure(folder: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        # What stays goes with the scratch folder, and must not hide what went wrong.
        with suppress(OSError):
            remove_tree(folder, budget=_REMOVAL_BUDGET)
        raise
