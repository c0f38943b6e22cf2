"""How a wheel is refused, what may be excused, and the sizes that no honest wheel reaches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import IntegrityError
from ..events import SteppedDown

if TYPE_CHECKING:
    from ..events import EventSink

_SHOWN = 8  # reasons in one message


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The largest wheels on public indexes stay far below each of these.

    :param total: bytes of all members, unpacked.
    :param ratio: unpacked to packed size, of a member and of the whole, once unpacked it is above *ratio_from* bytes.
        Deflate itself ends at 1032:1, and only for content without any information.
    :param members: files and folders.
    :param directory: bytes of the central directory, which is read into memory.
    :param metadata: bytes of a file that is read into memory as a whole, such as RECORD.
    """

    total: int = 16 << 30
    ratio: int = 1000
    ratio_from: int = 100 << 20
    members: int = 500_000
    directory: int = 128 << 20
    metadata: int = 128 << 20


def refusal(
    filename: str,
    reason: str,
    *,
    code: str,
    member: str | None = None,
    context: tuple[str, ...] = (),
    hint: str | None = None,
) -> IntegrityError:
    """Return the error that refuses the wheel *filename*.

    *member* is escaped, because the name of a hostile member may be made to write to a terminal; a *reason* that
    quotes the archive has to escape what it quotes (``!a``).
    """
    where = f"{filename}: member {member!a}" if member is not None else filename
    return IntegrityError(f"refused {where}: {reason}", code=code, context=context, hint=hint)


class Irregularities:
    """What is wrong with a wheel but guards no path: collected, and then refused or told, all at once.

    :param excused: the user trusts this project (``--allow-irregular``).
    """

    def __init__(self, filename: str, *, project: str, excused: bool) -> None:
        self._filename = filename
        self._project = project
        self._excused = excused
        self._found: list[tuple[str, str, str | None]] = []

    def add(self, reason: str, *, code: str, member: str | None = None) -> None:
        """Note one; nothing happens before `settle`."""
        self._found.append((reason, code, member))

    def settle(self, sink: EventSink) -> None:
        """Refuse what was noted since the last call, or tell it as a step down of kind ``irregular-archive``.

        :raises IntegrityError: with the code of the first one; the others are in its context.
        """
        if not self._found:
            return
        found, self._found = self._found, []
        reason, code, member = found[0]
        others = tuple(f"{f'member {m!a}: ' if m is not None else ''}{r}" for r, _, m in found[1:_SHOWN])
        if len(found) > _SHOWN:
            others += (f"and {len(found) - _SHOWN} more",)
        error = refusal(
            self._filename,
            reason,
            code=code,
            member=member,
            context=others,
            hint=f"if you trust where it comes from, --allow-irregular {self._project} accepts it",
        )
        if not self._excused:
            raise error
        text = error.message.removeprefix("refused ")
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        sink(SteppedDown(kind="irregular-archive", message=f"accepted though irregular: {text}{more}"))
