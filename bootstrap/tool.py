"""Make ci-install available to all jobs of a runner, with the standard library alone, and run it.

The tool is one folder, ``<tool dir>/<digest of lock and source>-<kind of Python>``: the wheels of the lock beside this
file, unpacked, and the package itself. Nine jobs that prepare a tool at once are the very bug that ci-install cures, so
each prepares a folder of its own beside it, and renames that: who comes second uses what the first one made. Nothing
waits, nothing is locked, and a job that is killed leaves only a folder that a later one removes.

No venv, ensurepip or pip is needed; nor is anything of ci-install itself used before it is there.
"""

from __future__ import annotations

import argparse
import compileall
import configparser
import contextlib
import hashlib
import html.parser
import http.client
import io
import json
import os
import platform
import re
import runpy
import secrets
import shutil
import ssl
import sys
import sysconfig
import time
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from http.client import HTTPMessage

HERE = Path(__file__).resolve().parent
PACKAGE = "safe_install"
CONTENTS = "contents.json"
_JSON = "application/vnd.pypi.simple.v1+json"
_ACCEPT = f"{_JSON}, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.01"
_PAUSES = (0.5, 2.0, 5.0)  # seconds before a request is made again
_TIMEOUT = 30.0
_PATIENCE = 10.0  # seconds that a scanner may hold a new folder, on Windows
_ABANDONED = 24 * 3600.0  # seconds after which nobody works on a folder any more
_OWN = re.compile(r"\.[0-9a-f]{16}-[\w.-]+\.[0-9a-f]{16}")
_NETWORK, _INTEGRITY, _STORE, _USAGE = 3, 4, 7, 2  # exit codes, as those of ci-install


class Requirement(NamedTuple):
    """A line of the lock. :param marker: empty for none. :param digests: SHA-256 of its wheels."""

    name: str
    marker: str
    digests: frozenset[str]


class BootstrapError(Exception):
    """Why there is no tool. :param exit_code: of the whole command."""

    def __init__(self, code: str, message: str, exit_code: int, hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.exit_code = exit_code
        self.hint = hint


def main(arguments: Sequence[str]) -> NoReturn:
    """Run the command, making the tool first where it is not there; never returns."""
    options = _parse(arguments)
    try:
        options.tool_dir = options.tool_dir or default_tool_dir(os.environ)
        if options.prepare is not None:
            count = prepare(options.prepare, options.lock)
            sys.stdout.write(f"{options.prepare} holds {count} wheels\n")
            sys.exit(0)
        folder = provide(options.tool_dir, lock=options.lock, source=options.source, wheels=options.wheels)
    except BootstrapError as failure:
        hint = f"  hint: {failure.hint}\n" if failure.hint else ""
        sys.stderr.write(f"error[{failure.code}]: {failure}\n{hint}")
        sys.exit(failure.exit_code)
    except OSError as error:
        sys.stderr.write(f"error[tool-unusable]: cannot make the tool in {options.tool_dir}: {error}\n")
        short = "with a short path " if os.name == "nt" else ""  # paths end at 260 characters there
        hint = f"name a folder {short}that this user can write with --tool-dir or SAFE_INSTALL_TOOL_DIR"
        sys.stderr.write(f"  hint: {hint}\n")
        sys.exit(_STORE)
    except KeyboardInterrupt:
        sys.exit(130)
    sys.path.insert(0, str(folder))
    sys.argv = ["ci-install", *options.command]
    runpy.run_module(PACKAGE, run_name="__main__")
    sys.exit(0)


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="ci_install.py", description="Run ci-install with nothing but Python.")
    parser.add_argument("--lock", type=Path, default=HERE / "requirements.txt", help="what it needs, with hashes")
    parser.add_argument("--source", type=Path, default=HERE.parent / "src", help=f"the folder that holds {PACKAGE}")
    parser.add_argument("--wheels", type=Path, help="take wheels from this folder; no network is used")
    parser.add_argument("--tool-dir", type=Path, help="where tools are kept")
    parser.add_argument("--prepare", type=Path, metavar="DIR", help="fetch the wheels for this Python to DIR, and end")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="arguments of ci-install, after --")
    options = parser.parse_args(arguments)
    options.command = options.command[1:] if options.command[:1] == ["--"] else options.command
    return options


def default_tool_dir(environ: os._Environ[str] | dict[str, str]) -> Path:
    """Where tools are kept: once for each user of a runner in its tool cache, else in the user's cache folder.

    :raises BootstrapError: ``no-tool-dir``: nothing names one, and the user has no home.
    """
    named = environ.get("SAFE_INSTALL_TOOL_DIR")
    if named:
        return Path(named)
    tools = environ.get("RUNNER_TOOL_CACHE", "")
    if tools and os.access(tools, os.W_OK):
        return Path(tools) / (f"safe-install-tool-{os.getuid()}" if hasattr(os, "getuid") else "safe-install-tool")
    caches = environ.get("LOCALAPPDATA") if os.name == "nt" else environ.get("XDG_CACHE_HOME")
    try:
        return Path(caches or Path.home() / ".cache") / "safe-install-tool"
    except RuntimeError as error:
        hint = "name a folder with --tool-dir or SAFE_INSTALL_TOOL_DIR"
        raise BootstrapError("no-tool-dir", f"there is no folder for the tool: {error}", _STORE, hint) from error


def provide(tool_dir: Path, *, lock: Path, source: Path, wheels: Path | None) -> Path:
    """Return the folder of the tool, which is made when it is missing or damaged.

    :param wheels: a folder to take them from; None fetches them.
    :raises BootstrapError: it could not be made. Nothing is left.
    :raises OSError: *tool_dir* cannot be written.
    """
    package = read_package(source)
    target = tool_dir.absolute() / f"{_digest_of(lock, package)[:16]}-{_kind_of_python()}"
    if _is_whole(target):
        return target
    tool_dir.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(tool_dir)
    own = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
    own.mkdir(0o700)
    try:
        _fill(own, package, lock=lock, wheels=wheels)
        _publish(own, target)
    finally:
        shutil.rmtree(own, ignore_errors=True)
    return target


def prepare(folder: Path, lock: Path) -> int:
    """Fetch the wheels that this kind of Python needs to *folder*; return how many it holds."""
    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    for name, content in _wheels(lock, folder=None):
        own = folder / f".{name}.{secrets.token_hex(8)}"
        own.write_bytes(content)
        os.replace(own, folder / name)
        count += 1
    return count


# The folder


def read_package(source: Path) -> dict[str, bytes]:
    """Return the files of the package by their paths, so that what is named is what is run.

    :raises BootstrapError: ``no-source``: there is none, or a part of it is a link, whose target has no name here.
    """
    root = source / PACKAGE
    found = {}
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(set(folders) - {"__pycache__"})
        for name in sorted(names) + folders:
            path = Path(folder, name)
            if path.is_symlink():
                raise BootstrapError("no-source", f"{path} is a link", _USAGE, "name a plain copy with --source")
            if name in names:
                found[path.relative_to(source).as_posix()] = path.read_bytes()
    if f"{PACKAGE}/__init__.py" not in found:
        raise BootstrapError("no-source", f"{source} holds no {PACKAGE}", _USAGE, "name its folder with --source")
    return found


def _digest_of(lock: Path, package: dict[str, bytes]) -> str:
    """Name what the tool is made of: another lock or another source is another tool."""
    parts = [_read_lock_file(lock), *(part for path in sorted(package) for part in (path.encode(), package[path]))]
    found = hashlib.sha256()
    for part in parts:
        found.update(b"%d\n" % len(part))
        found.update(part)
    return found.hexdigest()


def _kind_of_python() -> str:
    """What decides which wheels fit: interpreter, system, processor and C library."""
    abi = sysconfig.get_config_var("SOABI") or sys.implementation.cache_tag
    parts = (abi, sysconfig.get_platform(), platform.machine(), *platform.libc_ver())
    return re.sub(r"[^\w.-]", "_", "-".join(dict.fromkeys(str(part) for part in parts if part)))


def _fill(own: Path, package: dict[str, bytes], *, lock: Path, wheels: Path | None) -> None:
    for name, content in _wheels(lock, folder=wheels):
        _unpack(name, content, own)
    for name, content in package.items():
        path = own / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    # Whatever Python's variables say: it pays at each start.
    compileall.compile_dir(own, quiet=2, workers=1)
    sizes = {path.relative_to(own).as_posix(): path.stat().st_size for path in sorted(own.rglob("*")) if path.is_file()}
    with (own / CONTENTS).open("w", encoding="utf-8") as stream:
        json.dump(sizes, stream)
        stream.flush()
        os.fsync(stream.fileno())
    own.chmod(0o755)  # other users of the runner may run it


def _is_whole(folder: Path) -> bool:
    """Whether the tool is there, with all of its files in their sizes: a crash may have left empty ones.

    :raises OSError: nobody can tell.
    """
    try:
        sizes = json.loads((folder / CONTENTS).read_text(encoding="utf-8"))
        return all(os.stat(folder / name).st_size == size for name, size in sizes.items())
    except (FileNotFoundError, NotADirectoryError, ValueError, AttributeError):
        return False


def _publish(own: Path, target: Path) -> None:
    """Let the folder appear in one step; where another one is whole, it is used, and what is damaged gives way."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            os.rename(own, target)
            return
        except OSError:
            # On NFS a name that was missing before may be denied until its folder is read.
            os.listdir(target.parent)
            if _is_whole(target):
                return
            if target.exists():
                aside = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
                with contextlib.suppress(OSError):
                    os.rename(target, aside)
                    shutil.rmtree(aside, ignore_errors=True)
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def _remove_abandoned(tool_dir: Path) -> None:
    """Remove what killed jobs left; nobody takes a day to unpack thirty wheels."""
    for path in tool_dir.iterdir():
        with contextlib.suppress(OSError):
            if _OWN.fullmatch(path.name) and path.lstat().st_mtime < time.time() - _ABANDONED:
                shutil.rmtree(path, ignore_errors=True)


def _unpack(name: str, content: bytes, folder: Path) -> None:
    """Unpack a wheel whose digest is that of the lock; what it has besides modules is not needed."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for member in archive.namelist():
            parts = member.split("/")
            if parts[0].endswith(".data"):
                if len(parts) < 3 or parts[1] not in {"purelib", "platlib"}:
                    continue
                parts = parts[2:]
            if member.endswith("/"):
                continue
            if ".." in parts or "" in parts or any(set(part) & set('\\:"') for part in parts):
                raise BootstrapError("wheel-path", f"{name} has a member called {member!r}", _INTEGRITY)
            path = folder.joinpath(*parts)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(archive.read(member))


# The lock and its wheels


def read_lock(lock: Path) -> list[Requirement]:
    """Read lines ``name==version [; marker] --hash=sha256:… …``, continued by backslashes."""
    text = re.sub(r"\\\r?\n", " ", _read_lock_file(lock).decode("utf-8"))
    found = []
    for line in text.splitlines():
        plain = line.partition("#")[0].strip()
        if not plain:
            continue
        digests = frozenset(re.findall(r"--hash=sha256:([0-9a-f]{64})", plain))
        pin, _, marker = plain.partition(" --hash")[0].partition(";")
        name, equals, _ = pin.partition("==")
        if not equals or not digests:
            raise BootstrapError("lock-invalid", f"{lock} has a line without version or hash: {plain[:80]}", _USAGE)
        found.append(Requirement(name.strip().lower(), marker.strip(), digests))
    return found


def _read_lock_file(lock: Path) -> bytes:
    try:
        return lock.read_bytes()
    except OSError as error:
        raise BootstrapError("no-lock", f"cannot read {lock}: {error.strerror}", _USAGE) from error


def _wheels(lock: Path, *, folder: Path | None) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of each wheel that this Python needs; all are compared with the lock."""
    requirements = read_lock(lock)
    shelf: _Folder | _Index = _Folder(folder) if folder is not None else _Index(_index_url(os.environ))
    # What knows markers and tags is one of them, and a wheel of Python alone can be imported as it is.
    first = next((each for each in requirements if each.name == "packaging"), None)
    if first is None:
        raise BootstrapError("lock-invalid", f"{lock} does not name packaging", _USAGE)
    name, content = shelf.get(first, ["py3-none-any"])
    yield name, content
    tags, wanted = _with_packaging(name, content, requirements)
    rest = [each for each in wanted if each is not first]
    with ThreadPoolExecutor(8) as pool:
        yield from pool.map(lambda each: shelf.get(each, tags), rest)


def _with_packaging(
    name: str, content: bytes, requirements: Iterable[Requirement]
) -> tuple[list[str], list[Requirement]]:
    """Return the tags of this Python, best first, and the requirements whose markers hold for it."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        sys.path.insert(0, str(path))
        try:
            from packaging.markers import Marker
            from packaging.tags import sys_tags

            tags = [str(tag) for tag in sys_tags()]
            wanted = [each for each in requirements if not each.marker or Marker(each.marker).evaluate()]
        finally:
            sys.path.remove(str(path))
            # The tool brings its own.
            for module in [each for each in sys.modules if each.partition(".")[0] == "packaging"]:
                del sys.modules[module]
            sys.path_importer_cache.pop(str(path), None)
    return tags, wanted


def _rank(filename: str, tags: Sequence[str]) -> int | None:
    """The position of the best of a wheel's tags; None when none fits."""
    pythons, abis, platforms = (part.split(".") for part in filename.removesuffix(".whl").rsplit("-", 3)[1:])
    own = {f"{python}-{abi}-{platform}" for python in pythons for abi in abis for platform in platforms}
    return min((position for position, tag in enumerate(tags) if tag in own), default=None)


def _best(offered: Iterable[str], requirement: Requirement, tags: Sequence[str], where: str) -> str:
    ranked = [(rank, name) for name in offered if (rank := _rank(name, tags)) is not None]
    if not ranked:
        message = f"{where} has no wheel of {requirement.name} that is in the lock and fits this Python"
        raise BootstrapError("no-compatible-file", message, 1)
    return min(ranked)[1]


def _is_wheel(name: str) -> bool:
    return name.endswith(".whl") and name.count("-") >= 4 and not set(name) & set("/\\")


class _Folder:
    """Wheels that somebody put there before. Their content counts, whatever they are called."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            self._names = sorted(name for name in os.listdir(folder) if _is_wheel(name))
        except OSError as error:
            raise BootstrapError("no-wheels", f"cannot read {folder}: {error.strerror}", _USAGE) from error

    def get(self, requirement: Requirement, tags: Sequence[str]) -> tuple[str, bytes]:
        prefix = re.sub(r"[-_.]+", "_", requirement.name)
        found = {}
        for name in self._names:
            if re.sub(r"[-_.]+", "_", name.partition("-")[0]).lower() == prefix:
                content = (self._folder / name).read_bytes()
                if hashlib.sha256(content).hexdigest() in requirement.digests:
                    found[name] = content
        best = _best(found, requirement, tags, str(self._folder))
        return best, found[best]


class _Index:
    """The index that pip is configured for."""

    def __init__(self, url: str) -> None:
        handlers: list[urllib.request.BaseHandler] = [urllib.request.HTTPSHandler(context=_tls()), _Redirects()]
        hint = "write special characters of a login as %2F and so on"
        # Not shown: what follows a slash in a password would be.
        failure = BootstrapError("invalid-url", "the URL of the index is none that is understood", _USAGE, hint)
        try:
            parts = urllib.parse.urlsplit(url)
            understood = parts.scheme in {"https", "http"} and parts.hostname and (parts.port or True)
        except ValueError:
            raise failure from None
        if not understood or "@" in parts.path:
            raise failure
        if parts.username is not None:
            passwords = urllib.request.HTTPPasswordMgrWithPriorAuth()
            host = parts.netloc.rpartition("@")[2]
            url = urllib.parse.urlunsplit(parts._replace(netloc=host))
            user, password = (urllib.parse.unquote(text or "") for text in (parts.username, parts.password))
            passwords.add_password(None, f"{parts.scheme}://{host}", user, password, is_authenticated=True)
            handlers.append(urllib.request.HTTPBasicAuthHandler(passwords))
        self._url = url.rstrip("/")
        self._opener = urllib.request.build_opener(*handlers)

    def get(self, requirement: Requirement, tags: Sequence[str]) -> tuple[str, bytes]:
        page = f"{self._url}/{re.sub(r'[-_.]+', '-', requirement.name)}/"
        address, kind, content = self._read(page)
        try:
            links = list(_json_links(content) if kind == _JSON else _html_links(content))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise BootstrapError("malformed-page", f"{page} is no page of an index: {error!r}", _NETWORK) from error
        offered = {name: url for name, url, digest in links if digest in requirement.digests and _is_wheel(name)}
        best = _best(offered, requirement, tags, page)
        data = self._read(urllib.parse.urljoin(address, offered[best]))[2]
        if hashlib.sha256(data).hexdigest() not in requirement.digests:
            raise BootstrapError("hash-mismatch", f"{best} is not the file of the lock", _INTEGRITY)
        return best, data

    def _read(self, url: str) -> tuple[str, str, bytes]:
        """Return where it was in the end, its content type, and its content."""
        parts = urllib.parse.urlsplit(url)
        shown = parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()
        if not url.startswith(("https://", "http://")):
            raise BootstrapError("invalid-url", f"{shown} is no address of an index or of a file on one", _USAGE)
        headers = {"Accept": _ACCEPT, "User-Agent": "ci-install-bootstrap"}
        for pause in (*_PAUSES, None):
            try:
                request = urllib.request.Request(url, headers=headers)  # noqa: S310 - only http and https come this far
                with self._opener.open(request, timeout=_TIMEOUT) as answer:
                    return answer.url, answer.headers.get_content_type(), answer.read()
            except (OSError, EOFError, ValueError, http.client.HTTPException) as error:
                status = error.code if isinstance(error, urllib.error.HTTPError) else 0
                if pause is None or isinstance(error, ValueError) or (400 <= status < 500 and status != 429):
                    hint = "check PIP_INDEX_URL, or name a folder with the wheels (--wheels)"
                    raise BootstrapError(
                        "index-unreachable", f"could not read {shown}: {error}", _NETWORK, hint
                    ) from error
                time.sleep(pause)
        raise AssertionError  # the last attempt returns or raises


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but none from an encrypted connection to an open one."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> urllib.request.Request | None:
        if req.full_url.startswith("https:") and not newurl.startswith("https:"):
            raise urllib.error.HTTPError(req.full_url, code, "redirected to an open connection", headers, fp)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _tls() -> ssl.SSLContext:
    file = os.environ.get("PIP_CERT") or os.environ.get("SSL_CERT_FILE") or None
    try:
        return ssl.create_default_context(cafile=file)
    except OSError as error:
        raise BootstrapError("certificates-unreadable", f"cannot read {file}: {error}", _USAGE) from error


def _json_links(content: bytes) -> Iterator[tuple[str, str, str]]:
    for each in json.loads(content).get("files", ()):
        yield each["filename"], each["url"], each.get("hashes", {}).get("sha256", "")


def _html_links(content: bytes) -> Iterator[tuple[str, str, str]]:
    class Parser(html.parser.HTMLParser):
        links: list[str]

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            if tag == "a":
                self.links += [value for key, value in attrs if key == "href" and value]

    parser = Parser()
    parser.links = []
    parser.feed(content.decode("utf-8", errors="replace"))
    for link in parser.links:
        url, _, fragment = link.partition("#")
        digest = re.search(r"sha256=([0-9a-f]{64})", fragment)
        yield urllib.parse.unquote(url.partition("?")[0].rpartition("/")[2]), url, digest[1] if digest else ""


def _index_url(environ: os._Environ[str]) -> str:
    """The index that pip is configured for: its variable, its files, and what it takes by itself."""
    for variable in ("SAFE_INSTALL_INDEX_URL", "PIP_INDEX_URL"):
        if environ.get(variable):
            return environ[variable]
    parser = configparser.RawConfigParser()
    with contextlib.suppress(configparser.Error, UnicodeDecodeError):
        parser.read(_pip_files(environ), encoding="utf-8")
    for section in ("install", "global"):
        url = parser.get(section, "index-url", fallback="")
        if url:
            return url
    with contextlib.suppress(ImportError, AttributeError):
        from pip._internal.models.index import PyPI

        return str(PyPI.simple_url)
    hint = "set PIP_INDEX_URL, or name a folder with the wheels (--wheels)"
    raise BootstrapError("no-index", "no package index is known: pip is neither configured nor there", _NETWORK, hint)


def _pip_files(environ: os._Environ[str]) -> list[str]:
    """https://pip.pypa.io/en/stable/topics/configuration/ , weakest first."""
    if environ.get("PIP_CONFIG_FILE") == os.devnull:
        return []
    home = os.path.expanduser("~")
    if os.name == "nt":
        roots = [environ.get("PROGRAMDATA", ""), environ.get("APPDATA", "")]
        places = [os.path.join(root, "pip", "pip.ini") for root in roots if root]
        places.append(os.path.join(sys.prefix, "pip.ini"))
    else:
        config = environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")
        places = ["/etc/pip.conf", os.path.join(home, ".pip", "pip.conf"), os.path.join(config, "pip", "pip.conf")]
        places.append(os.path.join(sys.prefix, "pip.conf"))
    return [*places, *filter(None, [environ.get("PIP_CONFIG_FILE")])]
