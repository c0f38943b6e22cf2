"""Fixtures that more than one folder of tests uses."""

from __future__ import annotations

import os
import signal

import pytest
from helpers.index import local_index
from helpers.missing_parts import pytest_runtest_setup
from hypothesis import settings
from labs.plugin import pytest_addoption, pytest_cmdline_main

from safe_install.platforms.detection import SIGNS

__all__ = ["local_index", "pytest_addoption", "pytest_cmdline_main", "pytest_runtest_setup"]


# A script that runs the tests in the background has Ctrl-C ignored for all that they start, which would then ignore it too.
signal.signal(signal.SIGINT, signal.default_int_handler)
# `nohup` has the end of a terminal ignored in the same way. What is handled, by whatever, has its usual effect on others.
if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, lambda *_: None)
# A busy machine is no failure: no test asserts a time.
settings.register_profile("safe-install", deadline=None)
settings.load_profile("safe-install")
# Whatever CI system runs the tests, and however far it trusts this job: the jobs of the tests are others.
for _sign in SIGNS:
    os.environ.pop(_sign.variable, None)


@pytest.fixture(autouse=True)
def _no_proxy_of_this_machine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hermetic test reaches its server on this machine whatever proxy the machine is told to use."""
    if "index" not in request.keywords:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.delenv(name, raising=False)
            monkeypatch.delenv(name.lower(), raising=False)
