from __future__ import annotations

import subprocess
import sys


def run(code: str) -> None:
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_it_brings_no_command_line() -> None:
    run(
        "import sys; from safe_install.index._httpx import httpx; "
        "assert not {'httpx._main', 'click', 'rich', 'pygments'} & sys.modules.keys(); httpx.Client().close()"
    )


def test_who_wants_the_command_line_has_it() -> None:
    run("import httpx._main, sys; import safe_install.index._httpx; assert 'httpx._main' in sys.modules")
    run("import safe_install.index._httpx, httpx._main")
