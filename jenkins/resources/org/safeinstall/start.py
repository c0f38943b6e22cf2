"""Run ci-install where nothing of it is yet: all that a GitLab include or a Jenkins library can bring to a job.

``start.py ARGUMENT...`` takes a checkout from SAFE_INSTALL_SOURCE, which is a folder, or the URL of a .tar.gz archive
followed by ``#sha256=DIGEST``. An archive is fetched once for each user of a host: into a folder of its own that is
renamed, so that jobs which do so at once use what the first one made. Then it becomes the command of that checkout,
``bootstrap/ci_install.py``. Platforms write this file in encodings of their own: it is plain ASCII.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.client
import io
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

CONTENTS = ".contents.json"
_TIMEOUT = 60.0
_PAUSES = (0.5, 2.0, 5.0)  # seconds before a request is made again
_PATIENCE = 10.0  # seconds that a scanner may hold a new folder, on Windows
_ABANDONED = 24 * 3600.0  # seconds after which nobody works on a folder any more
_USAGE, _NETWORK, _INTEGRITY, _STORE = 2, 3, 4, 7  # exit codes, as those of ci-install


class StartError(Exception):
    """Why there is no checkout. :param exit_code: of the whole command."""

    def __init__(self, code: str, message: str, exit_code: int) -> None:
        hint = "set SAFE_INSTALL_SOURCE to a checkout, or to URL#sha256=DIGEST of an archive"
        super().__init__(f"error[{code}]: {message}\n  hint: {hint}\n")
        self.exit_code = exit_code


def checkout(source: str) -> Path:
    """Return the folder of the checkout that *source* names, fetching it where no job of this user has yet."""
    if not source:
        raise StartError("no-source", "nothing says where safe-install is", _USAGE)
    url, _, digest = source.partition("#sha256=")
    if "://" not in url:
        return Path(url)
    digest = digest.lower()
    if len(digest) != hashlib.sha256().digest_size * 2 or not set(digest) <= set("0123456789abcdef"):
        raise StartError("source-unpinned", f"{shown(url)} is named without its digest", _USAGE)
    cache = cache_folder()
    target = cache / f"source-{digest}"
    if is_whole(target):
        return target
    cache.mkdir(parents=True, exist_ok=True)
    remove_abandoned(cache)
    own = Path(tempfile.mkdtemp(prefix=".source-", dir=cache))
    try:
        data = fetch(url)
        found = hashlib.sha256(data).hexdigest()
        if found != digest:
            raise StartError("hash-mismatch", f"{shown(url)} has the digest {found}, not {digest}", _INTEGRITY)
        unpack(data, own)
        publish(own, target)
    finally:
        shutil.rmtree(own, ignore_errors=True)
    return target


def cache_folder() -> Path:
    """Return where archives are unpacked."""
    named = os.environ.get("SAFE_INSTALL_TOOL_DIR")
    if named:
        return Path(named)
    try:
        return Path.home() / ".cache" / "safe-install-tool"
    except RuntimeError:
        raise StartError(
            "no-tool-dir", "this user has no home; name a folder in SAFE_INSTALL_TOOL_DIR", _STORE
        ) from None


def shown(url: str) -> str:
    """Return *url* without what may be secret in it."""
    plain = url.partition("?")[0]
    scheme, _, rest = plain.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"


def fetch(url: str) -> bytes:
    """Return what is at *url*; a login in it is sent as such."""
    scheme, _, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    login, _, host = authority.rpartition("@")
    request = urllib.request.Request(f"{scheme}://{host}{slash}{path}")  # noqa: S310 - an administrator names it, its digest is checked
    if login:
        token = base64.b64encode(urllib.parse.unquote(login).encode()).decode("ascii")
        request.add_unredirected_header("Authorization", f"Basic {token}")
    for pause in (*_PAUSES, None):
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT) as answer:  # noqa: S310 - as above
                data: bytes = answer.read()
                return data
        except (OSError, http.client.HTTPException) as error:
            refused = isinstance(error, urllib.error.HTTPError) and error.code < 500 and error.code != 429
            if refused or pause is None:
                # The words of other errors may hold the URL.
                reason = f"HTTP {error.code}" if isinstance(error, urllib.error.HTTPError) else type(error).__name__
                raise StartError("no-source", f"cannot get {shown(url)}: {reason}", _NETWORK) from None
            time.sleep(pause)
    raise AssertionError("the last try returns or raises")


def unpack(data: bytes, folder: Path) -> None:
    """Unpack the regular files of an archive, without the folder that they lie in, as forges make them."""
    sizes = {}
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for member in archive:
            parts = member.name.split("/")[1:]
            content = archive.extractfile(member) if member.isfile() else None
            if content is None or not parts or not {"", ".", ".."}.isdisjoint(parts) or "\\" in member.name:
                continue
            path = folder.joinpath(*parts)
            path.parent.mkdir(parents=True, exist_ok=True)
            sizes["/".join(parts)] = path.write_bytes(content.read())
    (folder / CONTENTS).write_text(json.dumps(sizes), encoding="ascii")


def is_whole(folder: Path) -> bool:
    """Return whether the checkout is there, with all of its files in their sizes: a crash may have left empty ones."""
    try:
        sizes = json.loads((folder / CONTENTS).read_text(encoding="ascii"))
        return all((folder / name).stat().st_size == size for name, size in sizes.items())
    except (FileNotFoundError, NotADirectoryError, ValueError, AttributeError):
        return False


def publish(own: Path, target: Path) -> None:
    """Let the folder appear in one step; where another one is whole, it is used, and what is damaged gives way."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            own.rename(target)
        except OSError:
            if is_whole(target):
                return
            aside = target.with_name(f".source-{secrets.token_hex(8)}")
            with contextlib.suppress(OSError):
                target.rename(aside)
                shutil.rmtree(aside, ignore_errors=True)
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


def remove_abandoned(cache: Path) -> None:
    """Remove what killed jobs left."""
    for path in cache.glob(".source-*"):
        with contextlib.suppress(OSError):
            if path.lstat().st_mtime < time.time() - _ABANDONED:
                shutil.rmtree(path, ignore_errors=True)


def become(script: Path) -> int:
    """Run *script* in the place of this process, so that signals reach it; else return its exit code."""
    command = [sys.executable, str(script), "--", *sys.argv[1:]]
    sys.stdout.flush()
    if os.name != "nt":
        os.execv(sys.executable, command)  # noqa: S606 - no shell is wanted
    # The console sends Ctrl-C to both; it is for the command to put things back.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return subprocess.call(command)


def main() -> int:
    """Do what the arguments say with the checkout's own command; return its exit code."""
    # What is half fetched is removed on the way out.
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(130))
    try:
        script = checkout(os.environ.get("SAFE_INSTALL_SOURCE", "")) / "bootstrap" / "ci_install.py"
        if not script.is_file():
            raise StartError("no-source", f"{script.parents[1]} is no checkout of safe-install", _USAGE)
    except StartError as error:
        sys.stderr.write(str(error))
        return error.exit_code
    except (OSError, tarfile.TarError, ValueError) as error:
        sys.stderr.write(str(StartError("no-source", f"cannot make a checkout: {type(error).__name__}", _STORE)))
        return _STORE
    except KeyboardInterrupt:
        return 130
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    return become(script)


if __name__ == "__main__":
    sys.exit(main())
