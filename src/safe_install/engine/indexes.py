"""Which indexes one call asks, in which order, and how they are reached.

For each setting the first of these that says something holds: our own settings, the requirements files, pip's
configuration, the finder library's default. Lists of requirements files are added to our own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from ..index.settings import IndexSettings
    from ..settings import Settings
    from .session import Surroundings


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexDefaults:
    """What holds where no setting of ours says otherwise: pip's configuration on this machine.

    None or empty where nothing is configured. :param timeout: seconds.
    """

    index_url: str | None = None
    extra_index_urls: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    no_index: bool = False
    trusted_hosts: tuple[str, ...] = ()
    cert: Path | None = None
    client_cert: Path | None = None
    proxy: str | None = None
    timeout: float | None = None
    keyring_disabled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FileOptions:
    """The options in requirements files that tell where files come from and which may be used."""

    index_url: str | None = None
    extra_index_urls: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    no_index: bool = False
    trusted_hosts: tuple[str, ...] = ()
    no_binary: tuple[str, ...] = ()
    only_binary: tuple[str, ...] = ()

    def joined(self, other: FileOptions) -> FileOptions:
        """Both together; the later ``--index-url`` replaces the earlier, as in pip."""
        return FileOptions(
            index_url=other.index_url or self.index_url,
            extra_index_urls=_unique(*self.extra_index_urls, *other.extra_index_urls),
            find_links=_unique(*self.find_links, *other.find_links),
            no_index=self.no_index or other.no_index,
            trusted_hosts=_unique(*self.trusted_hosts, *other.trusted_hosts),
            no_binary=(*self.no_binary, *other.no_binary),
            only_binary=(*self.only_binary, *other.only_binary),
        )


def _unique(*values: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))


def timeout_of(settings: Settings, surroundings: Surroundings) -> float:
    """Return after how many seconds without progress a connection is given up."""
    from ..index.settings import IndexSettings

    if settings.timeout is not None:
        return settings.timeout
    return surroundings.index_defaults.timeout or IndexSettings.timeout


def index_settings(settings: Settings, surroundings: Surroundings, file: FileOptions) -> IndexSettings:
    """Return what the index client works with."""
    from ..index.settings import IndexSettings, default_index_url

    defaults = surroundings.index_defaults
    no_index = settings.no_index or file.no_index or (defaults.no_index and settings.index_url is None)
    main = settings.index_url or file.index_url or defaults.index_url
    extra = _unique(*settings.extra_index_url, *file.extra_index_urls) or defaults.extra_index_urls
    if not no_index and main is None:
        main = default_index_url()
    return IndexSettings(
        index_urls=() if no_index else _unique(*extra, *((main,) if main else ())),
        find_links=_unique(*settings.find_links, *file.find_links) or defaults.find_links,
        no_index=no_index,
        offline=settings.offline,
        strategy=settings.index_strategy,
        timeout=timeout_of(settings, surroundings),
        retry_budget=settings.retry_budget,
        concurrent_downloads=settings.concurrent_downloads,
        trusted_hosts=_unique(*settings.trusted_host, *file.trusted_hosts, *defaults.trusted_hosts),
        cert=settings.cert or defaults.cert,
        client_cert=settings.client_cert or defaults.client_cert,
        proxy=settings.proxy or defaults.proxy,
        keyring=settings.keyring_provider != "disabled" and not defaults.keyring_disabled,
        variables=surroundings.variables,
    )
