"""Run ci-install where nothing of it is yet: all that a GitLab include or a Jenkins library can bring to a job.

``start.py ARGUMENT…`` takes a checkout from SAFE_INSTALL_SOURCE, which is a folder, or the URL of a .tar.gz archive
followed by ``#sha256=DIGEST``. An archive is fetched once for each user of a host. Then it becomes the command of that
checkout, ``bootstrap/ci_install.py``.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import urllib.request
from pathlib import Path

_TIMEOUT = 60.0
_USAGE, _NETWORK, _INTEGRITY = 2, 3, 4  # exit codes, as those of ci-install


class StartError(Exception):
    """Why there is no checkout. :param exit_code: of the whole command."""

    def __init__(self, code: str, message: str, exit_code: int) -> None:
        super().__init__(
            f"error[{code}]: {message}\n  hint: set SAFE_INSTALL_SOURCE to a checkout, or URL#sha256=DIGEST"
        )
        self.exit_code = exit_code


def checkout(source: str, cache: Path) -> Path:
    """Return the folder of the checkout that *source* names, fetching it where no job of this user has yet."""
    if not source:
        raise StartError("no-source", "nothing says where safe-install is", _USAGE)
    url, _, digest = source.partition("#sha256=")
    if "://" not in url:
        return Path(url)
    if len(digest) != hashlib.sha256().digest_size * 2:
        raise StartError("source-unpinned", f"{url} has no digest", _USAGE)
    target = cache / f"source-{digest[:32].lower()}"
    if target.is_dir():
        return target
    cache.mkdir(parents=True, exist_ok=True)
    own = tempfile.mkdtemp(prefix=".source-", dir=cache)
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT) as answer:  # noqa: S310 - the digest decides
            data = answer.read()
        found = hashlib.sha256(data).hexdigest()
        if found != digest.lower():
            raise StartError("hash-mismatch", f"{url} has the digest {found}, not {digest}", _INTEGRITY)
        unpack(data, Path(own))
        try:
            Path(own).rename(target)
        except OSError:
            if not target.is_dir():  # else another job came first
                raise
    finally:
        shutil.rmtree(own, ignore_errors=True)
    return target


def unpack(data: bytes, folder: Path) -> None:
    """Unpack the regular files of an archive, without the folder that they lie in, as forges make them."""
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for member in archive:
            parts = member.name.split("/")[1:]
            content = archive.extractfile(member) if member.isfile() else None
            if content is None or not parts or not {"", ".", ".."}.isdisjoint(parts):
                continue
            path = folder.joinpath(*parts)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.read())


def main() -> int:
    """Do what the arguments say with the checkout's own command; return its exit code."""
    named = os.environ.get("SAFE_INSTALL_TOOL_DIR")
    cache = Path(named) if named else Path.home() / ".cache" / "safe-install-tool"
    source = os.environ.get("SAFE_INSTALL_SOURCE", "")
    try:
        script = checkout(source, cache) / "bootstrap" / "ci_install.py"
        if not script.is_file():
            raise StartError("no-source", f"{script.parents[1]} is no checkout of safe-install", _USAGE)
    except StartError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    except (OSError, tarfile.TarError) as error:
        sys.stderr.write(f"{StartError('no-source', f'cannot get {source}: {error}', _NETWORK)}\n")
        return _NETWORK
    return subprocess.call([sys.executable, script, "--", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
