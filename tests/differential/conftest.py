"""What both comparisons need: one index for all tools, and the command as users start it."""

from __future__ import annotations

import os
import urllib.parse
from typing import TYPE_CHECKING

import pytest
from helpers import missing_parts
from helpers.default_index import with_only_the_default_index
from helpers.same_pages import SamePages

from safe_install.index.settings import default_index_url

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def one_index() -> dict[str, str]:
    """An environment in which pip, uv and `ci-install` see the same index and nothing else."""
    return with_only_the_default_index(os.environ)


@pytest.fixture(scope="session")
def same_pages(one_index: dict[str, str]) -> Iterator[dict[str, str]]:
    """`one_index`, whose pages are the same for all tools whenever they ask."""
    index = one_index.get("PIP_INDEX_URL", default_index_url())
    if "@" in urllib.parse.urlsplit(index).netloc:
        yield one_index  # its files need the login too
        return
    with SamePages(index, cafile=one_index.get("PIP_CERT") or one_index.get("SSL_CERT_FILE")) as pages:
        own = {"PIP_INDEX_URL": pages.url, "UV_DEFAULT_INDEX": pages.url}
        yield {**one_index, **own, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}


@pytest.fixture(scope="session")
def ci_install() -> Path:
    """The installed console script."""
    return missing_parts.program("ci-install", "install this project into the environment that runs the tests")
