"""Read the options of a line in a requirements file, each with the position where it stands."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, NamedTuple

from ..models import Hashes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# Options begin at the first word that starts with a hyphen, as pip has it.
OPTIONS = re.compile(r"(?:^|(?<=\s))-")
_WORD = re.compile(r"""(?:[^\s"'\\]|\\.|"(?:[^"\\]|\\.)*"|'[^']*')+""", re.DOTALL)
_QUOTED = re.compile(r"""\\(.)|"((?:[^"\\]|\\.)*)"|'([^']*)'""", re.DOTALL)
_HASH = re.compile(r"(?P<algorithm>[A-Za-z0-9_]+):(?P<digest>[0-9A-Fa-f]+)")

# Spelling -> what it means. A trailing "=" says that a value follows.
_OPTION_NAMES: Mapping[str, str] = {
    "-r": "requirement=",
    "--requirement": "requirement=",
    "-c": "constraint=",
    "--constraint": "constraint=",
    "-e": "editable=",
    "--editable": "editable=",
    "-i": "index-url=",
    "--index-url": "index-url=",
    "--pypi-url": "index-url=",
    "--extra-index-url": "extra-index-url=",
    "--no-index": "no-index",
    "-f": "find-links=",
    "--find-links": "find-links=",
    "--no-binary": "no-binary=",
    "--only-binary": "only-binary=",
    "--prefer-binary": "prefer-binary",
    "--require-hashes": "require-hashes",
    "--pre": "pre",
    "--trusted-host": "trusted-host=",
    "--use-feature": "use-feature=",
    "--hash": "hash=",
    "-C": "config-setting=",
    "--config-setting": "config-setting=",
    "--config-settings": "config-setting=",
    "--global-option": "global-option=",
}
OF_A_REQUIREMENT = frozenset({"hash", "config-setting", "global-option"})


class LineError(Exception):
    """Something is wrong at *offset* of a logical line."""

    def __init__(
        self, message: str, offset: int, *, code: str = "requirement-malformed", hint: str | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset
        self.code = code
        self.hint = hint


class Option(NamedTuple):
    """One option of a line. :param name: its long name without hyphens; :param spelling: as it was written."""

    name: str
    spelling: str
    value: str
    offset: int
    value_offset: int


def of_requirement(options: list[Option]) -> tuple[Hashes, dict[str, str | list[str]]]:
    """The values of the options that stand behind a requirement."""
    pairs: set[tuple[str, str]] = set()
    settings: dict[str, str | list[str]] = {}
    for option in options:
        if option.name == "hash":
            found = _HASH.fullmatch(option.value)
            if found is None:
                raise LineError("--hash is written as ALGORITHM:DIGEST, such as sha256:2c26b4…", option.value_offset)
            if not Hashes.of({found["algorithm"]: found["digest"]}).secure:
                raise LineError(
                    f"--hash does not accept the algorithm {found['algorithm']!r}",
                    option.value_offset,
                    hint="use sha256, sha384 or sha512",
                )
            pairs.add((found["algorithm"].lower(), found["digest"].lower()))
        elif option.name == "config-setting":
            key, equals, value = option.value.partition("=")
            if not equals or not key:
                raise LineError(f"{option.spelling} is written as KEY=VALUE", option.value_offset)
            known = settings.get(key)
            # A key that is given again makes a list, as for pip and build.
            settings[key] = value if known is None else [*([known] if isinstance(known, str) else known), value]
        elif option.name == "global-option":
            raise LineError(
                "--global-option is not supported: it drives setup.py without a build backend",
                option.offset,
                code="requirements-option-refused",
                hint="pass --config-settings to the build backend instead",
            )
        else:
            raise LineError(f"{option.spelling} stands on a line of its own", option.offset)
    return Hashes(frozenset(pairs)), settings


def read_options(text: str, start: int) -> Iterator[Option]:
    """Read ``--key=value``, ``--key value``, ``-kvalue`` and ``-k value``, with the quoting of a shell."""
    words = _words(text, start)
    while words:
        offset, word = words.pop(0)
        spelling, value, value_offset = _split_option(offset, word)
        meaning = _OPTION_NAMES.get(spelling)
        if meaning is None:
            raise _unknown(spelling, offset)
        name = meaning.rstrip("=")
        if not meaning.endswith("="):
            if value is not None:
                raise LineError(f"{spelling} takes no value", value_offset)
            yield Option(name, spelling, "", offset, offset)
            continue
        if name == "editable":
            yield _editable(text, spelling, offset, value, value_offset, words)
            continue
        if value is None:
            if not words:
                raise LineError(f"{spelling} needs a value", offset)
            value_offset, value = words.pop(0)
        yield Option(name, spelling, _unquoted(value), offset, value_offset)


def _editable(
    text: str, spelling: str, offset: int, value: str | None, value_offset: int, words: list[tuple[int, str]]
) -> Option:
    """``-e`` takes all words up to the next option, because a marker may follow its path."""
    taken = [(value_offset, value)] if value is not None else []
    while words and not words[0][1].startswith("-"):
        taken.append(words.pop(0))
    if not taken:
        raise LineError(f"{spelling} needs a value", offset)
    if len(taken) == 1:
        return Option("editable", spelling, _unquoted(taken[0][1]), offset, taken[0][0])
    end = taken[-1][0] + len(taken[-1][1])
    return Option("editable", spelling, text[taken[0][0] : end], offset, taken[0][0])


def _words(text: str, start: int) -> list[tuple[int, str]]:
    words = []
    position = start
    while position < len(text):
        if text[position].isspace():
            position += 1
            continue
        found = _WORD.match(text, position)
        if found is None or (found.end() < len(text) and not text[found.end()].isspace()):
            raise LineError("a quotation is not closed", found.end() if found else position)
        words.append((position, found[0]))
        position = found.end()
    return words


def _split_option(offset: int, word: str) -> tuple[str, str | None, int]:
    if word.startswith("--"):
        spelling, equals, value = word.partition("=")
        return spelling, value if equals else None, offset + len(spelling) + 1
    if not word.startswith("-"):
        raise LineError("expected an option here", offset)
    return word[:2], word[2:] or None, offset + 2


def _unknown(spelling: str, offset: int) -> LineError:
    close = difflib.get_close_matches(spelling, _OPTION_NAMES, n=1)
    return LineError(
        f"unknown option {spelling}",
        offset,
        code="requirements-option-unknown",
        hint=f"did you mean {close[0]}?" if close else None,
    )


def _unquoted(word: str) -> str:
    return _QUOTED.sub(lambda found: found[1] or _unescaped(found[2]) or found[3] or "", word)


def _unescaped(quoted: str | None) -> str:
    return re.sub(r'\\(["\\$`])', r"\1", quoted or "")
