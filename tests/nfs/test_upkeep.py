"""Looking after stores and seeds on NFS while another host reads them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from helpers.herd import damage_of
from helpers.processes import wait_until
from labs.nfs.commands import command_on
from labs.nfs.mounts import PATIENCE

if TYPE_CHECKING:
    from labs.nfs.mounts import Mount

pytestmark = pytest.mark.lab_nfs("upkeep")

_READ = """
import sys
from pathlib import Path
from helpers.seed_racers import look_at_all
root, end, begun = map(Path, sys.argv[1:])
rounds, problems = 0, []
while rounds < 3 or not end.exists():
    problems += look_at_all(root)
    rounds += 1
    begun.touch()
    import os
    os.listdir(end.parent)
print(rounds, problems)
"""

_USE = """
import sys
from pathlib import Path
from safe_install.events import ignore
from safe_install.store.layout import Layout
from safe_install.store.leases import OwnLease
lease = OwnLease(Layout(Path(sys.argv[1])), job=None, sink=ignore)
lease.use([Path(sys.argv[2])])
print("using", flush=True)
sys.stdin.readline()
lease.close()
"""


def test_what_another_host_uses_is_kept(nfs: Mount) -> None:
    lock = nfs.folder / "requirements.txt"
    lock.write_text(nfs.wheel("used") + nfs.wheel("unused"))
    here = command_on(nfs, nfs.hosts[0], "here")
    here("sync", lock)
    (tree,) = here.store.glob("wheels-1/*/*/tree/used")
    entry = tree.parents[1]
    user = command_on(nfs, nfs.other, "there").start_code(_USE, here.store, entry)
    try:
        assert user.stdout is not None
        assert user.stdout.readline() == "using\n"
        here("cache", "clean")
        assert [path.name for path in here.store.glob("wheels-1/*/*")] == [entry.name]
        user.communicate("\n", timeout=PATIENCE)
        assert user.returncode == 0
    finally:
        user.kill()
        user.wait()
    here("cache", "clean")
    assert list(here.store.glob("wheels-1/*/*")) == []


def test_a_damaged_entry_is_found_and_repaired_by_another_host(nfs: Mount) -> None:
    lock = nfs.folder / "requirements.txt"
    lock.write_text(nfs.wheel("demo"))
    here, there = (command_on(nfs, host, f"job-{host.name}") for host in (nfs.hosts[0], nfs.other))
    here("sync", lock)
    (source,) = here.store.glob("wheels-1/*/*/tree/demo/__init__.py")
    os.chmod(source, 0o644)
    source.write_bytes(b"#" * source.stat().st_size)
    found = there("cache", "verify", code=4)
    assert "demo" in found.text
    result = there("sync", lock)
    assert result.counts["repaired"] == 1
    here("cache", "verify")
    assert here.run_python("import demo; print(demo.__version__)") == "1.0"
    assert damage_of(here.store) == []


def test_clean_ups_here_hurt_no_job_there(nfs: Mount) -> None:
    """Everything is removed again and again while the other host installs; what is gone is made again."""
    lock = nfs.folder / "requirements.txt"
    lock.write_text(nfs.wheel("plain") + nfs.wheel("many", files={f"many/{n}.py": "x = 1\n" * n for n in range(40)}))
    here, there = (command_on(nfs, host, f"job-{host.name}") for host in (nfs.hosts[0], nfs.other))
    for number in range(2):
        job = there.start("sync", lock, "--venv", f"venv-{number}")
        while job.poll() is None:
            here("cache", "clean")
        stdout, stderr = job.communicate(timeout=PATIENCE)
        assert there.result(job.returncode, stdout, stderr).code == 0, stderr
        assert there.installed(there.folder / f"venv-{number}") == {"plain": "1.0", "many": "1.0"}
    here("cache", "gc", "--max-age", "0")
    here("cache", "verify")
    assert damage_of(here.store) == []


def test_a_seed_is_switched_and_rolled_back_while_another_host_reads(nfs: Mount) -> None:
    seed = nfs.folder / "seed"
    here = command_on(nfs, nfs.hosts[0], "publisher")
    locks = []
    for number in range(2):
        lock = nfs.folder / f"lock-{number}.txt"
        lock.write_text(nfs.wheel(f"a{number}") + nfs.wheel(f"b{number}"))
        locks.append(lock)
    generations = [here("seed", "publish", seed, locks[0]).stdout.strip()]
    begun, end = nfs.folder / "begun", nfs.folder / "end"
    os.listdir(nfs.folder)
    reader = command_on(nfs, nfs.other, "reader").start_code(_READ, seed, end, begun)
    try:
        wait_until(lambda: "begun" in os.listdir(nfs.folder) or reader.poll() is not None, patience=PATIENCE)
        generations.append(here("seed", "publish", seed, locks[1]).stdout.strip())
        here("seed", "rollback", seed)
        here("seed", "rollback", f"{seed}@{generations[1]}")
        here("seed", "gc", seed, "--min-age", "0")
        here("seed", "verify", seed)
        end.touch()
        stdout, stderr = reader.communicate(timeout=PATIENCE)
    finally:
        reader.kill()
        reader.wait()
    assert reader.returncode == 0, stderr
    assert stdout.split(maxsplit=1)[1].strip() == "[]", stdout
    job = command_on(nfs, nfs.other, "job", place="neither", SAFE_INSTALL_FIND_LINKS="", SAFE_INSTALL_SEED=str(seed))
    assert job("sync", locks[1]).counts["fetched"] == 0
    assert job.installed() == {"a1": "1.0", "b1": "1.0"}
