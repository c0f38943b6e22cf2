"""``ci-install layout``: what the other commands use in this job, for people and as variables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ...errors import InputError, StoreError
from ...models import Isolation, LinkMode
from ..call import Call, perform
from ..output import write_result
from .doctor import diagnose_job, layout_document, layout_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ...models import SeedReference
    from ...probe.layout import JobLayout

FORMATS: Final = ("text", "json", "env", "dotenv", "github", "powershell", "cmd")

# Where other tools keep their caches, by the variable that they read.
_CACHES: Final = {
    "UV_CACHE_DIR": "uv",
    "PIP_CACHE_DIR": "pip",
    "POETRY_CACHE_DIR": "poetry",
    "PDM_CACHE_DIR": "pdm",
    "PIPENV_CACHE_DIR": "pipenv",
    "PIP_TOOLS_CACHE_DIR": "pip-tools",
    "VIRTUALENV_OVERRIDE_APP_DATA": "virtualenv",
}
_UV_LINK_MODES: Final = {LinkMode.REFLINK: "clone", LinkMode.HARDLINK: "hardlink", LinkMode.COPY: "copy"}


def run(options: Mapping[str, Any], *, form: str, with_tmpdir: bool, deadline: float) -> int:
    """Write the layout of this job; return the exit code, 7 when none works."""

    def work(call: Call) -> None:
        layout = diagnose_job(call, deadline=deadline).layout
        document = {"platform": call.job.job.platform.value, **layout_document(layout), "distrust": call.job.distrust}
        if form == "json" or call.settings.json:
            call.details["layout"] = document
        if not layout.works:
            raise StoreError(
                "no layout works here",
                code="layout-unusable",
                context=layout.reasons,
                hint="`ci-install doctor` says what is wrong with each folder, and what mends it",
            )
        if form == "text" and not call.settings.json:
            write_result("".join(f"{line}\n" for line in _lines(call, layout)))
        elif form not in {"text", "json"}:
            from ...platforms.export import write_variables

            write_result(write_variables(dict(_variables(call, layout, with_tmpdir=with_tmpdir)), form))

    # The report is the result of `--format json`, and would be no variable in the other forms.
    json = {} if form == "text" else {"json": form == "json"}
    return perform("layout", {**options, **json}, None, work, use_scratch=False)


def _lines(call: Call, layout: JobLayout) -> Iterator[str]:
    yield f"platform: {call.job.job.platform.value}"
    yield from layout_lines(layout)
    if call.job.distrust:
        yield f"  untrusted because {call.job.distrust}"


def _variables(call: Call, layout: JobLayout, *, with_tmpdir: bool) -> Iterator[tuple[str, str]]:
    """The layout for the next commands of ours, and what keeps other tools in this job's own folder."""
    first = layout.layers[0]
    settings = call.settings
    yield "SAFE_INSTALL_SCOPE", layout.scope.value
    yield "SAFE_INSTALL_TRUST", layout.trust.value
    # Empty counts as not set: a temporary store is made anew by each command.
    yield "SAFE_INSTALL_CACHE_DIR", first.path or ""
    below = next((each.path for each in layout.layers[1:] if each.name == "runner"), None)
    if below is not None:
        yield "SAFE_INSTALL_RUNNER_DIR", below
    if not settings.shared:
        yield "SAFE_INSTALL_SHARED", "no"
    if settings.seed:
        yield "SAFE_INSTALL_SEED", _seeds(settings.seed)
    if settings.isolation is not Isolation.STANDARD:
        yield "SAFE_INSTALL_ISOLATION", settings.isolation.value
    assert layout.environment is not None  # it works
    assert layout.scratch is not None
    yield "SAFE_INSTALL_VENV", layout.environment
    yield "SAFE_INSTALL_SCRATCH", layout.scratch
    # Where the store is made later, no link was tried.
    tried_to_copy = layout.link_mode is LinkMode.COPY and first.path is not None
    if tried_to_copy or settings.link_mode is not LinkMode.AUTO:
        # Any other mode that was found to work is left to `auto`, which falls back for a file that it fails for.
        yield "SAFE_INSTALL_LINK_MODE", layout.link_mode.value
    if with_tmpdir:
        yield "TMPDIR", layout.scratch
    slot = call.job.job.slot_folder
    if slot is None:
        return  # nobody shares the caches of a user on a machine of his own
    # What an untrusted job puts into a cache is not for the trusted job that has this slot next.
    caches = slot / f"safe-install-caches-{layout.trust.value}"
    for variable, folder in _CACHES.items():
        yield variable, str(caches / folder)
    if first.path is not None:
        yield "UV_LINK_MODE", _UV_LINK_MODES.get(layout.link_mode, "copy")
    yield "UV_LOCK_TIMEOUT", str(int(settings.lock_timeout))


def _seeds(seeds: Sequence[SeedReference]) -> str:
    """The value of SAFE_INSTALL_SEED, in which white space separates one seed from the next."""
    texts = [f"{each.path}@{each.generation}" if each.generation else str(each.path) for each in seeds]
    if any(character.isspace() for character in "".join(texts)):
        raise InputError(
            "SAFE_INSTALL_SEED cannot hold a path with white space",
            code="not-exportable",
            hint="name the seed in the project's or the runner's configuration file",
        )
    return " ".join(texts)
