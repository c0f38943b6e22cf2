from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from safe_install.engine.allocation import keep_little_freed_memory

LEFT_BY_THREADS = """
import sys, threading
from safe_install.engine.allocation import keep_little_freed_memory

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096

def work():
    for _ in range(3):
        kept = [bytearray(b"x") * (200 * 1024) for _ in range(20)]
        end.append(bytearray(300))  # something small that stays above what is freed
        del kept

end = []
if sys.argv[1] == "bounded":
    keep_little_freed_memory()
before = resident()
threads = [threading.Thread(target=work) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(resident() - before)
"""


def left(mode: str) -> int:
    answer = subprocess.run(
        [sys.executable, "-c", LEFT_BY_THREADS, mode], check=True, capture_output=True, text=True, timeout=60
    )
    return int(answer.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")
def test_what_threads_free_goes_back_to_the_system() -> None:
    assert left("bounded") < left("free") / 2


def test_another_c_library_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ctypes.CDLL", lambda _: object())
    keep_little_freed_memory.cache_clear()
    keep_little_freed_memory()
    keep_little_freed_memory.cache_clear()
