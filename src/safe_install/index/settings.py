"""How indexes are found and reached: the values that one call works with."""

from __future__ import annotations

import importlib.util
import re
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ..models import IndexStrategy

if TYPE_CHECKING:
    from collections.abc import Mapping

_DEFAULT_INDEX = re.compile(r"""\.add_index_url\(["'](https://[^"'\s]+)["']\)""")


@dataclass(frozen=True, kw_only=True)
class IndexSettings:
    """What `IndexClient` needs to know; nothing else is read from the process.

    :param index_urls: in the order in which they are asked; may hold credentials. A plain path is a local index.
    :param find_links: folders, local HTML files, URLs of pages, or single archives.
    :param no_index: ask no index; only *find_links* count.
    :param offline: use no network: cached pages, the store and local files only.
    :param timeout: seconds without any progress after which a connection is given up. Positive.
    :param retry_budget: seconds for which errors that pass are retried, for each operation; 0 tries once.
    :param concurrent_downloads: how many files are downloaded at once; positive.
    :param trusted_hosts: ``host`` or ``host:port`` whose certificate is not verified.
    :param cert: file (or folder) of CA certificates; None takes the system's trust store.
    :param client_cert: PEM file with a certificate and its key.
    :param proxy: URL for all requests; None takes what the system is configured for (``HTTP_PROXY``, ``HTTPS_PROXY``,
        ``ALL_PROXY``, ``NO_PROXY`` and their like, read by the HTTP library).
    :param keyring: whether the keyring may be asked for credentials.
    :param variables: the process's variables. ``SAFE_INSTALL_CREDENTIALS_<HOST>``, ``NETRC`` and the home folder are
        read from them.
    """

    index_urls: tuple[str, ...] = field(default=(), repr=False)
    find_links: tuple[str, ...] = field(default=(), repr=False)
    no_index: bool = False
    offline: bool = False
    strategy: IndexStrategy = IndexStrategy.FIRST_INDEX
    timeout: float = 30.0
    retry_budget: float = 60.0
    concurrent_downloads: int = 8
    trusted_hosts: tuple[str, ...] = ()
    cert: Path | None = None
    client_cert: Path | None = None
    proxy: str | None = field(default=None, repr=False)
    keyring: bool = True
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)


def default_index_url() -> str:
    """Return the index that is asked when nobody configured one: the finder library's own default.

    It is read from the library's text where it can be found there: importing it brings a second HTTP library, which
    takes 0.1 s and 9 MiB.
    """
    spec = importlib.util.find_spec("unearth")
    for folder in (spec and spec.submodule_search_locations) or ():
        with suppress(OSError):
            found = _DEFAULT_INDEX.findall(Path(folder, "finder.py").read_text(encoding="utf-8"))
            if len(found) == 1:
                return str(found[0])
    from unearth import PackageFinder

    return PackageFinder().sources[0]["url"]
