"""Unpack source archives (tar with gzip, bzip2, xz or bare, and zip), which are hostile until checked.

Everything is checked before it is written, and a refused archive leaves nothing behind. The kind is told by the
content, not by the name. What becomes of a member:

- Files get 0644 or 0755 and folders 0755, whatever the archive says: set-user-ID and the like are lost.
  This is what pip leaves under the usual umask.
- A tar's symbolic links are made when they end inside the top-level folder, after all files, so that nothing is
  written through one; a zip's are refused, since no other installer makes links of them.
- A hard link to an earlier member becomes a copy of it.
- A file that comes twice with the same content is one; with different content, the archive is refused.
- Devices, FIFOs and members of unknown type are refused.

The one top-level folder that the sdist specification asks for is found, but its name is trusted for nothing.
"""

from __future__ import annotations

import contextlib
import secrets
import time
from typing import TYPE_CHECKING

from ..errors import IntegrityError
from ..events import PhaseEnded, PhaseStarted, ignore
from ..fs._system import system_path
from ..fs.failures import explain
from ..fs.remove import remove_tree
from .extraction import Extraction, Limits, MemberProblem

if TYPE_CHECKING:
    from pathlib import Path

    from ..events import EventSink

__all__ = ["Limits", "unpack_sdist"]

_REMOVAL_BUDGET = 5.0


def unpack_sdist(
    archive: Path,
    folder: Path,
    *,
    filename: str,
    sink: EventSink = ignore,
    irregular: bool = False,
    limits: Limits | None = None,
) -> Path:
    """Unpack *archive* into *folder* and return the one top-level folder in it.

    :param folder: made when missing, otherwise empty. On any error, Ctrl-C included, it is removed.
    :param filename: what the archive is called in messages; where it lies may be a digest.
    :param irregular: accept names that are reserved on Windows, but for Windows itself, and tell it as a step down
        (``--allow-irregular``). Other names that only Windows cannot hold are told everywhere else.
    :raises IntegrityError: ``sdist-hostile``: a member breaks a rule; ``sdist-too-large``: it breaks a limit;
        ``sdist-invalid``: truncated, damaged, of no known kind, or without exactly one top-level folder.
    :raises StoreError: the disk is full or *folder* cannot be written.
    """
    key = f"unpack:{filename}:{secrets.token_hex(4)}"
    began = time.monotonic()
    sink(PhaseStarted(phase="unpack", key=key, label=filename))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        size = archive.stat().st_size
        extraction = Extraction(folder, limits=limits or Limits(), packed=size, irregular=irregular)
        _read_into(archive, extraction)
        top = extraction.finish()
        extraction.tell(filename, sink)
    except MemberProblem as problem:
        _discard(folder, sink)
        raise _refusal(filename, problem) from None
    except OSError as error:
        _discard(folder, sink)
        raise explain(error, doing=f"unpack {filename}", path=folder, option="--scratch") from error
    except BaseException:
        _discard(folder, sink)
        raise
    else:
        return top
    finally:
        sink(PhaseEnded(phase="unpack", key=key, seconds=time.monotonic() - began))


def _discard(folder: Path, sink: EventSink) -> None:
    # What stays goes with the scratch folder, and must not hide what went wrong.
    with contextlib.suppress(OSError):
        remove_tree(folder, budget=_REMOVAL_BUDGET, sink=sink)


def _read_into(archive: Path, extraction: Extraction) -> None:
    # A tar can hold a zip at its end, and many programs would call it a zip: the first bytes decide.
    with open(system_path(archive), "rb") as file:
        is_zip = file.read(4) in {b"PK\x03\x04", b"PK\x05\x06"}
    if is_zip:
        from .zips import read_zip

        read_zip(archive, extraction)
    else:
        from .tars import read_tar

        read_tar(archive, extraction)


def _refusal(filename: str, problem: MemberProblem) -> IntegrityError:
    what = f"its member {problem.member!r} {problem.reason}" if problem.member is not None else problem.reason
    hint = None
    if problem.excusable:
        hint = "if you trust the project, excuse it with --allow-irregular NAME"
    elif problem.code == "sdist-invalid":
        hint = "fetch it again; if it stays so, tell the project that its source archive is broken"
    return IntegrityError(f"the source archive {filename} is refused: {what}", code=problem.code, hint=hint)
