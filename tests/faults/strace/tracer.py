"""Whether ``strace`` can be used here."""

from __future__ import annotations

import functools
import subprocess
import tempfile
from pathlib import Path

_INSTALL = "apt-get install strace"


@functools.cache
def missing_tracer() -> str | None:
    """What to do about a missing ``strace``, or one that may not trace; None when it works."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder, "file")
        options = ["--seccomp-bpf", "-f", "-o", "/dev/null", "-e", "trace=mkdir", "-P", str(place)]
        try:
            done = subprocess.run(
                ["strace", *options, "-e", "inject=mkdir:error=EXDEV:when=1", "mkdir", str(place)],
                capture_output=True,
                text=True,
                check=False,
            )
        except FileNotFoundError:
            return _INSTALL
        if place.exists() or done.returncode != 1:
            return f"allow ptrace (in a container: --cap-add SYS_PTRACE), and use strace 5.3 or newer: {done.stderr.strip()}"
    return None
