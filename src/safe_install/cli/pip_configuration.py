"""Read where pip looks for distributions on this machine: its configuration files and ``PIP_*`` variables.

Only what tells indexes and how to reach them is read. Order and merging follow pip's documentation
(https://pip.pypa.io/en/stable/topics/configuration/): global, user and site files, each overriding the one
before, then the variables; ``PIP_CONFIG_FILE`` names one more file that beats the others, and ``os.devnull``
switches all files off.
"""

from __future__ import annotations

import configparser
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ..engine.indexes import IndexDefaults
from ..errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_TRUE = frozenset({"1", "true", "yes", "on", "y", "t"})


def read_pip_configuration(environ: Mapping[str, str]) -> IndexDefaults:
    """Return pip's settings for this user and interpreter.

    :raises InputError: ``pip-configuration-invalid``: a file or variable cannot be read as pip would.
    """
    values: dict[str, str] = {}
    for path in _files(environ):
        values.update(_read(path))
    for variable, text in environ.items():
        if variable.startswith("PIP_") and text:
            values[variable[4:].lower().replace("_", "-")] = text
    return IndexDefaults(
        index_url=values.get("index-url"),
        extra_index_urls=tuple(values.get("extra-index-url", "").split()),
        find_links=tuple(values.get("find-links", "").split()),
        no_index=values.get("no-index", "").lower() in _TRUE,
        trusted_hosts=tuple(values.get("trusted-host", "").split()),
        cert=_path(values.get("cert")),
        client_cert=_path(values.get("client-cert")),
        proxy=values.get("proxy"),
        timeout=_seconds(values.get("timeout", values.get("default-timeout"))),
        keyring_disabled=values.get("keyring-provider") == "disabled",
    )


def _path(text: str | None) -> Path | None:
    return Path(text).expanduser() if text else None


def _seconds(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        return float(text)
    except ValueError:
        raise InputError(f"pip's timeout is not a number: {text!r}", code="pip-configuration-invalid") from None


def _files(environ: Mapping[str, str]) -> Iterator[Path]:
    named = environ.get("PIP_CONFIG_FILE")
    if named == os.devnull:
        return
    import platformdirs

    name = "pip.ini" if sys.platform == "win32" else "pip.conf"
    if sys.platform == "win32":
        yield Path(platformdirs.site_config_dir("pip", appauthor=False)) / name
    else:
        for folder in environ.get("XDG_CONFIG_DIRS", "/etc/xdg").split(os.pathsep):
            yield Path(folder, "pip", name)
        yield Path("/etc", name)
    home = Path(environ.get("USERPROFILE" if sys.platform == "win32" else "HOME") or Path.home())
    yield home / ("pip" if sys.platform == "win32" else ".pip") / name
    yield Path(platformdirs.user_config_dir("pip", appauthor=False, roaming=True)) / name
    yield Path(sys.prefix) / name
    if named:
        yield Path(named)


def _read(path: Path) -> dict[str, str]:
    """The ``[global]`` keys, beaten by those of ``[install]``, as pip's ``install`` command sees them."""
    parser = configparser.RawConfigParser()
    try:
        with path.open(encoding="utf-8") as stream:
            parser.read_file(stream)
    except OSError:  # absent, or of another user: pip passes both by
        return {}
    except (configparser.Error, UnicodeDecodeError) as error:
        raise InputError(f"cannot read pip's configuration: {error}", code="pip-configuration-invalid") from error
    values: dict[str, str] = {}
    for section in ("global", "install"):
        if parser.has_section(section):
            values.update({key.replace("_", "-"): text for key, text in parser.items(section) if text})
    return values
