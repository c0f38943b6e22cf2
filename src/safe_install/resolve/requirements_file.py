"""Read requirements files: every line form that pip documents, nested files included.

Differences from pip, on purpose: mistakes of a file are reported together, each with its line and a caret; an option
that cannot have an effect where it stands is refused instead of ignored; everything below a constraints file is a
constraint.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urljoin

from ..errors import InputError
from ..events import Noticed, ignore
from ..models import ArchiveSource, Hashes
from ..redact import redact_url
from .requirement import MalformedRequirementError, WantedRequirement, mark, path_of_file_url, read_requirement
from .requirement_lines import LogicalLine, decode, logical_lines
from .requirement_options import OF_A_REQUIREMENT, OPTIONS, LineError, Option, of_requirement, read_options

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..events import EventSink

_REMOTE = re.compile(r"https?://", re.IGNORECASE)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedRequirements:
    """What one or several requirements files say, in the order in which they say it.

    :param find_links: URLs and absolute paths.
    :param no_binary: values as they stand; `Settings` knows how they add up. So for *only_binary*.
    """

    requirements: tuple[WantedRequirement, ...] = ()
    constraints: tuple[WantedRequirement, ...] = ()
    index_url: str | None = None
    extra_index_urls: tuple[str, ...] = ()
    no_index: bool = False
    find_links: tuple[str, ...] = ()
    no_binary: tuple[str, ...] = ()
    only_binary: tuple[str, ...] = ()
    prefer_binary: bool = False
    require_hashes: bool = False
    pre: bool = False
    trusted_hosts: tuple[str, ...] = ()

    @property
    def names_hashes(self) -> bool:
        """Whether a line has ``--hash``; pip then requires hashes for everything."""
        return any(wanted.hashes for wanted in self.requirements)


def parse_requirements_file(
    location: str | Path,
    *,
    cwd: Path,
    environ: Mapping[str, str],
    constraint: bool = False,
    read_url: Callable[[str], bytes] | None = None,
    sink: EventSink = ignore,
) -> ParsedRequirements:
    """Read a requirements file and all that it names.

    :param location: a path (relative to *cwd*) or a URL.
    :param cwd: absolute; paths of requirements are relative to it, as for pip, those of options to their file.
    :param environ: variables for ``${NAME}``.
    :param constraint: everything in it is a constraint (``-c``).
    :param read_url: fetches a file over HTTP; without it such files are refused.
    :raises InputError: codes ``file-not-found``, ``requirement-malformed``, ``requirements-option-unknown``,
        ``requirements-option-refused``, ``constraint-invalid``, ``requirements-cycle``, ``file-encoding``.
    """
    reader = _Reader(cwd=cwd, environ=environ, read_url=read_url, sink=sink)
    text = str(location)
    start = text if _REMOTE.match(text) else str(path_of_file_url(text) or Path(os.path.abspath(cwd / text)))
    reader.read(start, constraint=constraint, stack=(), asked_by=None)
    reader.report_mistakes()
    return reader.result()


def parse_requirements_text(
    text: str, *, name: str, cwd: Path, environ: Mapping[str, str], sink: EventSink = ignore
) -> ParsedRequirements:
    """Read the content of a requirements file. :param name: what messages call it. Errors as above."""
    reader = _Reader(cwd=cwd, environ=environ, read_url=None, sink=sink)
    reader.read_text(text, str(Path(os.path.abspath(cwd / name))), constraint=False, stack=())
    reader.report_mistakes()
    return reader.result()


class _Mistake(NamedTuple):
    code: str
    message: str
    context: tuple[str, ...] = ()
    hint: str | None = None


@dataclass
class _Reader:
    """Collects what files say; recursion over nested files."""

    cwd: Path
    environ: Mapping[str, str]
    read_url: Callable[[str], bytes] | None
    sink: EventSink
    requirements: list[WantedRequirement] = field(default_factory=list)
    constraints: list[WantedRequirement] = field(default_factory=list)
    values: dict[str, list[str]] = field(default_factory=dict)
    mistakes: list[_Mistake] = field(default_factory=list)

    def result(self) -> ParsedRequirements:
        def listed(name: str) -> tuple[str, ...]:
            return tuple(self.values.get(name, ()))

        return ParsedRequirements(
            requirements=tuple(self.requirements),
            constraints=tuple(self.constraints),
            index_url=next(reversed(listed("index-url")), None),
            extra_index_urls=listed("extra-index-url"),
            no_index="no-index" in self.values,
            find_links=listed("find-links"),
            no_binary=listed("no-binary"),
            only_binary=listed("only-binary"),
            prefer_binary="prefer-binary" in self.values,
            require_hashes="require-hashes" in self.values,
            pre="pre" in self.values,
            trusted_hosts=listed("trusted-host"),
        )

    def report_mistakes(self) -> None:
        """Raise all mistakes that were found, as one error."""
        if not self.mistakes:
            return
        first = self.mistakes[0]
        if len(self.mistakes) == 1:
            raise InputError(first.message, code=first.code, context=first.context, hint=first.hint)
        context: list[str] = []
        for mistake in self.mistakes:
            context += [mistake.message, *(f"  {line}" for line in mistake.context)]
        hints = dict.fromkeys(mistake.hint for mistake in self.mistakes if mistake.hint)
        raise InputError(
            f"{len(self.mistakes)} mistakes in requirements files",
            code=first.code,
            context=tuple(context),
            hint="; ".join(hints) or None,
        )

    def read(self, location: str, *, constraint: bool, stack: tuple[str, ...], asked_by: str | None) -> None:
        place = f"{asked_by}: " if asked_by else ""
        if location in stack:
            chain = " -> ".join(self._shown(item) for item in (*stack[stack.index(location) :], location))
            self.mistakes.append(
                _Mistake("requirements-cycle", f"{place}requirements files include one another: {chain}")
            )
            return
        try:
            data = self._bytes(location)
            text = decode(data)
        except OSError as error:
            code = "file-not-found" if isinstance(error, FileNotFoundError) else "file-unreadable"
            reason = "it does not exist" if code == "file-not-found" else str(error.strerror or error)
            self.mistakes.append(_Mistake(code, f"{place}cannot read {self._shown(location)}: {reason}"))
        except ValueError as error:
            hint = "save it as UTF-8, or name its encoding in the first line: # -*- coding: latin-1 -*-"
            self.mistakes.append(
                _Mistake("file-encoding", f"{place}cannot decode {self._shown(location)}: {error}", hint=hint)
            )
        else:
            self.read_text(text, location, constraint=constraint, stack=stack)

    def read_text(self, text: str, location: str, *, constraint: bool, stack: tuple[str, ...]) -> None:
        for line in logical_lines(text, self.environ):
            try:
                self._line(line, location, constraint=constraint, stack=(*stack, location))
            except LineError as problem:
                number, column, physical = line.place(problem.offset)
                self.mistakes.append(
                    _Mistake(
                        problem.code,
                        f"{self._shown(location)}:{number}: {redact_url(problem.message)}",
                        mark(physical, column),
                        problem.hint,
                    )
                )

    def _bytes(self, location: str) -> bytes:
        if not _REMOTE.match(location):
            return Path(location).read_bytes()
        if self.read_url is None:
            raise InputError(f"cannot read {redact_url(location)}: no network here", code="file-unreadable")
        return self.read_url(location)

    def _shown(self, location: str) -> str:
        if _REMOTE.match(location):
            return redact_url(location)
        path = Path(location)
        return path.relative_to(self.cwd).as_posix() if path.is_relative_to(self.cwd) else location

    def _line(self, line: LogicalLine, location: str, *, constraint: bool, stack: tuple[str, ...]) -> None:
        origin = f"{self._shown(location)}:{line.place().number}"
        start = OPTIONS.search(line.text)
        requirement = line.text[: start.start()].rstrip() if start else line.text
        options = list(read_options(line.text, start.start())) if start else []
        editables = [option for option in options if option.name == "editable"]
        others = [option for option in options if option.name != "editable"]
        if requirement or editables:
            self._requirement(requirement, editables, others, origin, constraint=constraint)
            return
        for option in others:
            if option.name in {"requirement", "constraint"}:
                nested = self._nested(option.value, location)
                self.read(nested, constraint=constraint or option.name == "constraint", stack=stack, asked_by=origin)
            else:
                self._option(option, location, origin)

    def _nested(self, value: str, location: str) -> str:
        if _REMOTE.match(value):
            return value
        if (path := path_of_file_url(value)) is not None:
            return str(path)
        if _REMOTE.match(location):
            return urljoin(location, value)
        return os.path.abspath(Path(location).parent / value)

    def _option(self, option: Option, location: str, origin: str) -> None:
        if option.name in OF_A_REQUIREMENT:
            raise LineError(f"{option.spelling} belongs behind a requirement", option.offset)
        if option.name == "use-feature":
            self.sink(Noticed(message=f"{origin}: --use-feature={option.value} has no meaning here"))
            return
        value = option.value
        if option.name == "find-links" and not _SCHEME.match(value) and not _REMOTE.match(location):
            beside = os.path.abspath(Path(location).parent / value)
            value = beside if os.path.exists(beside) else os.path.abspath(self.cwd / value)
        self.values.setdefault(option.name, []).append(value)

    def _requirement(
        self, text: str, editables: list[Option], options: list[Option], origin: str, *, constraint: bool
    ) -> None:
        offset = 0
        if editables:
            offset = editables[0].value_offset
            if text or len(editables) > 1:
                raise LineError("-e stands on a line of its own", editables[-1].offset if len(editables) > 1 else 0)
            text = editables[0].value
        hashes, config_settings = of_requirement(options)
        try:
            wanted = read_requirement(text, base=self.cwd, editable=bool(editables), origin=origin, sink=self.sink)
        except MalformedRequirementError as error:
            raise LineError(error.message, offset + error.position) from error
        wanted = replace(
            wanted,
            hashes=hashes or _hashes_of_url(wanted),
            config_settings=config_settings,
        )
        if constraint:
            _check_constraint(wanted, editable=bool(editables))
        (self.constraints if constraint else self.requirements).append(wanted)


def _hashes_of_url(wanted: WantedRequirement) -> Hashes:
    return wanted.direct.file.hashes if isinstance(wanted.direct, ArchiveSource) else Hashes()


def _check_constraint(wanted: WantedRequirement, *, editable: bool) -> None:
    """What pip refuses in a constraints file: nothing that only a requirement can say."""
    if editable:
        raise LineError("a constraint cannot be editable", 0, code="constraint-invalid")
    if wanted.name is None:
        raise LineError("a constraint needs a name: write NAME @ URL", 0, code="constraint-invalid")
    if wanted.extras:
        raise LineError("a constraint cannot have extras", 0, code="constraint-invalid")
