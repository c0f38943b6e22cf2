"""Every option once: its name, type, default, unit and help.

The command line, the variables ``SAFE_INSTALL_*``, the configuration files, and (later) the inputs of the CI
adapters are all made from `OPTIONS`. Reading them is the work of `safe_install.cli`; nothing below it looks at
the environment.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from .models import (
    FormatControl,
    IndexStrategy,
    Isolation,
    LinkMode,
    PrereleasePolicy,
    ResolutionStrategy,
    Scope,
    Trust,
    Verification,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from .models import SeedReference

Kind: TypeAlias = Literal[
    "text",
    "path",
    "flag",
    "seconds",
    "count",
    "choice",
    "list",
    "path-list",
    "seed-list",
    "mapping",
    "time",
    "size",
    "duration",
]
Group: TypeAlias = Literal["target", "store", "cleanup", "index", "network", "resolution", "build", "output"]

GROUP_TITLES: Mapping[Group, str] = {
    "target": "Environment",
    "store": "Store and links",
    "cleanup": "Clean-up of the store",
    "index": "Indexes",
    "network": "Network",
    "resolution": "Resolution",
    "build": "Builds",
    "output": "Output",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One setting.

    :param name: as on the command line, without dashes; the key in files; its variable is `variable`.
    :param kind: how its text is read (`safe_install.cli.settings_sources`).
    :param default: the value when nobody sets it.
    :param help: one sentence, without the default and the unit, which are added.
    :param commands: the commands that take it.
    :param choices: for ``choice`` only.
    :param no_flag: for ``flag`` only: the spelling that switches it off, such as ``no-compile-bytecode``.
    :param metavar: what the value is called in the help.
    """

    name: str
    kind: Kind
    group: Group
    help: str
    default: Any = None
    commands: frozenset[str] = frozenset()
    choices: tuple[str, ...] = ()
    no_flag: str | None = None
    short: str | None = None
    metavar: str | None = None

    @property
    def field(self) -> str:
        """Its name in `Settings`."""
        return self.name.replace("-", "_")

    @property
    def variable(self) -> str:
        """Its environment variable."""
        return "SAFE_INSTALL_" + self.field.upper()

    @property
    def repeatable(self) -> bool:
        """Whether it may be given more than once."""
        return self.kind in {"list", "path-list", "seed-list", "mapping"}


_INSTALLING = frozenset({"sync", "install", "run"})
_RESOLVING = frozenset({"install", "lock"})
_FETCHING = frozenset({"sync", "install", "run", "lock", "fetch", "seed publish"})
_STORING = _FETCHING | {"venv", "cache"}
_LAYERED = _FETCHING | {"venv"}
_LOOKING = frozenset({"doctor", "layout"})
_WRAPPING = frozenset({"wrap"})
_ALL = _STORING | {"seed"} | _LOOKING
_PLACED = _LAYERED | _LOOKING
_TIDYING = _INSTALLING | {"fetch", "cache gc"}


def _values(
    enum: type[
        IndexStrategy | Isolation | LinkMode | PrereleasePolicy | ResolutionStrategy | Scope | Trust | Verification
    ],
) -> tuple[str, ...]:
    return tuple(member.value for member in enum)


OPTIONS: tuple[Option, ...] = (
    Option(
        name="venv",
        kind="path",
        group="target",
        default=Path(".venv"),
        metavar="DIR",
        commands=_INSTALLING | _LOOKING | _WRAPPING,
        help="The environment to install into; made when it does not exist.",
    ),
    Option(
        name="python",
        kind="text",
        group="target",
        short="p",
        metavar="PATH|VERSION",
        commands=_FETCHING | {"venv"},
        help="The interpreter to make or fill an environment for.",
    ),
    Option(
        name="cache-dir",
        kind="path",
        group="store",
        metavar="DIR",
        commands=_STORING | _LOOKING,
        help="The store: where wheels are kept and linked from.  [default: the user's cache folder]",
    ),
    Option(
        name="scope",
        kind="choice",
        group="store",
        choices=_values(Scope),
        commands=_PLACED - {"seed publish"},
        help="Write to the store that all jobs of this host and user share (runner), or to one of this job alone, "
        "which is then --cache-dir or a temporary one (job).  [default: runner; job when untrusted]",
    ),
    Option(
        name="runner-dir",
        kind="path",
        group="store",
        metavar="DIR",
        commands=_PLACED,
        help="The store that jobs share, where it is not --cache-dir.  [default: the user's cache folder]",
    ),
    Option(
        name="seed",
        kind="seed-list",
        group="store",
        default=(),
        metavar="DIR[@DIGEST]",
        commands=_PLACED | {"cache ls"},
        help="Take what is missing from this seed too, as it is now or as of one generation; never written to.",
    ),
    Option(
        name="shared",
        kind="flag",
        group="store",
        default=True,
        no_flag="no-shared",
        commands=_PLACED,
        help="Read the layers below the first one: the runner's and the seeds.",
    ),
    Option(
        name="trust",
        kind="choice",
        group="store",
        default="trusted",
        choices=_values(Trust),
        commands=_PLACED | {"seed"} | _WRAPPING,
        help="Whether this job may write to what other jobs read.",
    ),
    Option(
        name="scratch",
        kind="path",
        group="store",
        metavar="DIR",
        commands=_STORING | _LOOKING | _WRAPPING,
        help="Local folder for temporary files and builds.  [default: the system's]",
    ),
    Option(
        name="link-mode",
        kind="choice",
        group="store",
        default="auto",
        choices=_values(LinkMode),
        commands=_INSTALLING | _LOOKING | _WRAPPING,
        help="How files get from the store into the environment; only auto falls back to another. With attach the "
        "environment refers to an image in the store (needs --isolation shared).",
    ),
    Option(
        name="isolation",
        kind="choice",
        group="store",
        default="standard",
        choices=_values(Isolation),
        commands=_FETCHING | _LOOKING,
        help="Whether environments may share files with the store (standard), so that an edit in one can show in "
        "others until the next install, never do (strict), or may even refer to its images (shared, for --link-mode "
        "attach); what is installed later is right with all of them.",
    ),
    Option(
        name="verify",
        kind="choice",
        group="store",
        default="size",
        choices=_values(Verification),
        commands=_LAYERED,
        help="What is checked of a store entry whenever it is used: path, size, mode and time of its files, and "
        "content where that proves too little (size); content always (full); nothing (none).",
    ),
    Option(
        name="compile-bytecode",
        kind="flag",
        group="target",
        default=True,
        no_flag="no-compile-bytecode",
        commands=_INSTALLING,
        help="Compile what is installed to bytecode.",
    ),
    Option(
        name="index-url",
        kind="text",
        group="index",
        short="i",
        metavar="URL",
        commands=_FETCHING,
        help="The index to use.  [default: the one pip is configured for]",
    ),
    Option(
        name="extra-index-url",
        kind="list",
        group="index",
        default=(),
        metavar="URL",
        commands=_FETCHING,
        help="Further indexes; asked before --index-url.",
    ),
    Option(
        name="find-links",
        kind="list",
        group="index",
        short="f",
        default=(),
        metavar="URL|DIR",
        commands=_FETCHING,
        help="Folders, or pages with links, to take files from.",
    ),
    Option(
        name="no-index",
        kind="flag",
        group="index",
        default=False,
        commands=_FETCHING,
        help="Ask no index; use --find-links only.",
    ),
    Option(
        name="index-strategy",
        kind="choice",
        group="index",
        default="first-index",
        choices=_values(IndexStrategy),
        commands=_FETCHING,
        help="Take a project from the first index that knows it, or (open to dependency confusion) from all.",
    ),
    Option(
        name="keyring-provider",
        kind="choice",
        group="index",
        default="auto",
        choices=("auto", "disabled"),
        commands=_FETCHING,
        help="Whether to ask the keyring for credentials after an index answered 401.",
    ),
    Option(
        name="offline",
        kind="flag",
        group="network",
        default=False,
        commands=_FETCHING,
        help="Use no network: only the store, cached index pages and local files.",
    ),
    Option(
        name="timeout",
        kind="seconds",
        group="network",
        commands=_FETCHING,
        help="Give up on a connection that makes no progress for this long.  [default: pip's, else 30 s]",
    ),
    Option(
        name="retry-budget",
        kind="seconds",
        group="network",
        default=60.0,
        commands=_STORING | {"seed"},
        help="How long errors that pass are retried, for each operation; 0 tries once.",
    ),
    Option(
        name="concurrent-downloads",
        kind="count",
        group="network",
        default=8,
        commands=_FETCHING,
        help="How many files are downloaded at once.",
    ),
    Option(
        name="cert",
        kind="path",
        group="network",
        metavar="FILE",
        commands=_FETCHING,
        help="File of CA certificates to trust.  [default: the system's trust store]",
    ),
    Option(
        name="client-cert",
        kind="path",
        group="network",
        metavar="FILE",
        commands=_FETCHING,
        help="Client certificate with its key, in PEM format.",
    ),
    Option(
        name="proxy",
        kind="text",
        group="network",
        metavar="URL",
        commands=_FETCHING,
        help="Proxy for all requests.  [default: HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY]",
    ),
    Option(
        name="trusted-host",
        kind="list",
        group="network",
        default=(),
        metavar="HOST[:PORT]",
        commands=_FETCHING,
        help="Do not verify the certificate of this host.",
    ),
    Option(
        name="require-hashes",
        kind="flag",
        group="resolution",
        default=False,
        commands=_FETCHING,
        help="Refuse everything for which the input names no digest.",
    ),
    Option(
        name="no-deps",
        kind="flag",
        group="resolution",
        default=False,
        commands=_RESOLVING,
        help="Do not look at dependencies.",
    ),
    Option(
        name="constraint",
        kind="path-list",
        group="resolution",
        short="c",
        default=(),
        metavar="FILE",
        commands=_RESOLVING,
        help="Restrict versions by a file, without asking for anything in it.",
    ),
    Option(
        name="override",
        kind="path-list",
        group="resolution",
        default=(),
        metavar="FILE",
        commands=_RESOLVING,
        help="Replace what anybody asks of these projects by what the file says.",
    ),
    Option(
        name="pre",
        kind="flag",
        group="resolution",
        default=False,
        commands=_RESOLVING,
        help="Allow pre-releases.",
    ),
    Option(
        name="resolution",
        kind="choice",
        group="resolution",
        default="highest",
        choices=_values(ResolutionStrategy),
        commands=_RESOLVING,
        help="Which of several allowed versions to take.",
    ),
    Option(
        name="exclude-newer",
        kind="time",
        group="resolution",
        metavar="TIME",
        commands=_RESOLVING,
        help="Ignore files uploaded after this time (RFC 3339, or a date).",
    ),
    Option(
        name="upgrade",
        kind="flag",
        group="resolution",
        short="U",
        default=False,
        commands=frozenset({"install"}),
        help="Take the newest allowed versions, even where what is installed would do.",
    ),
    Option(
        name="only-binary",
        kind="list",
        group="build",
        default=(),
        metavar="NAME",
        commands=_FETCHING,
        help="Never build these projects; :all: for all, :none: to empty the list.",
    ),
    Option(
        name="no-binary",
        kind="list",
        group="build",
        default=(),
        metavar="NAME",
        commands=_FETCHING,
        help="Always build these projects; :all: for all, :none: to empty the list.",
    ),
    Option(
        name="build-isolation",
        kind="flag",
        group="build",
        default=True,
        no_flag="no-build-isolation",
        commands=_FETCHING,
        help="Build in a private environment; otherwise in the target environment, and the result is not shared.",
    ),
    Option(
        name="build-constraint",
        kind="path-list",
        group="build",
        default=(),
        metavar="FILE",
        commands=_FETCHING,
        help="Restrict the versions of build requirements by a file.",
    ),
    Option(
        name="config-setting",
        kind="mapping",
        group="build",
        short="C",
        default=(),
        metavar="KEY=VALUE",
        commands=_FETCHING,
        help="Pass a setting to every build backend.",
    ),
    Option(
        name="build-env",
        kind="list",
        group="build",
        default=(),
        metavar="NAME",
        commands=_FETCHING,
        help="Let builds see this environment variable; its value becomes part of the build key.",
    ),
    Option(
        name="build-timeout",
        kind="seconds",
        group="build",
        default=3600.0,
        commands=_FETCHING,
        help="Stop a build after this long.",
    ),
    Option(
        name="allow-irregular",
        kind="list",
        group="build",
        default=(),
        metavar="NAME",
        commands=_FETCHING,
        help="Excuse this project's archives from the rules that guard no path (RECORD, metadata); told each time.",
    ),
    Option(
        name="lock-timeout",
        kind="seconds",
        group="store",
        default=300.0,
        commands=_STORING | {"seed"} | _WRAPPING,
        help="How long to wait for a lock whose holder shows no sign of life.",
    ),
    Option(
        name="job-url",
        kind="text",
        group="store",
        metavar="URL",
        commands=_STORING | {"seed"} | _WRAPPING,
        help="The page of this job, told to jobs that wait for it.  [default: what the CI system tells]",
    ),
    Option(
        name="max-size",
        kind="size",
        group="cleanup",
        commands=_TIDYING,
        help="Let the store hold at most this much, such as 10GB: what was not used for the longest time goes first.",
    ),
    Option(
        name="max-age",
        kind="duration",
        group="cleanup",
        commands=_TIDYING,
        help="Remove from the store what was not used for this long, such as 30d.",
    ),
    Option(
        name="min-free",
        kind="size",
        group="cleanup",
        commands=_TIDYING,
        help="Remove from the store, longest unused first, until its file system has this much free.",
    ),
    Option(
        name="auto-gc",
        kind="flag",
        group="cleanup",
        default=False,
        no_flag="no-auto-gc",
        commands=_INSTALLING | {"fetch"},
        help="Clean the store up after the work, at most once a day, to --max-size, --max-age and --min-free.",
    ),
    Option(
        name="report",
        kind="path",
        group="output",
        metavar="FILE",
        commands=_FETCHING | _LOOKING | _WRAPPING,
        help="Write the report, one JSON document, to this file.",
    ),
    Option(
        name="json",
        kind="flag",
        group="output",
        default=False,
        commands=_ALL,
        help="Print the report, one JSON document, on standard output.",
    ),
    Option(
        name="progress",
        kind="flag",
        group="output",
        default=True,
        no_flag="no-progress",
        commands=_ALL,
        help="Show progress bars on a terminal.",
    ),
    Option(
        name="quiet",
        kind="flag",
        group="output",
        short="q",
        default=False,
        commands=_ALL | _WRAPPING,
        help="Print errors and step-downs only.",
    ),
    Option(
        name="verbose",
        kind="flag",
        group="output",
        short="v",
        default=False,
        commands=_ALL | _WRAPPING,
        help="Print every request, retry and choice.",
    ),
)
"""The table. The order is the order of the help."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The values of all options for one call, read and checked. Field names are `Option.field`."""

    venv: Path = Path(".venv")
    python: str | None = None
    cache_dir: Path | None = None
    scope: Scope | None = None
    runner_dir: Path | None = None
    seed: tuple[SeedReference, ...] = ()
    shared: bool = True
    trust: Trust = Trust.TRUSTED
    scratch: Path | None = None
    link_mode: LinkMode = LinkMode.AUTO
    isolation: Isolation = Isolation.STANDARD
    verify: Verification = Verification.SIZE
    compile_bytecode: bool = True
    index_url: str | None = None
    extra_index_url: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    no_index: bool = False
    index_strategy: IndexStrategy = IndexStrategy.FIRST_INDEX
    keyring_provider: str = "auto"
    offline: bool = False
    timeout: float | None = None
    retry_budget: float = 60.0
    concurrent_downloads: int = 8
    cert: Path | None = None
    client_cert: Path | None = None
    proxy: str | None = None
    trusted_host: tuple[str, ...] = ()
    require_hashes: bool = False
    no_deps: bool = False
    constraint: tuple[Path, ...] = ()
    override: tuple[Path, ...] = ()
    pre: bool = False
    resolution: ResolutionStrategy = ResolutionStrategy.HIGHEST
    exclude_newer: datetime | None = None
    upgrade: bool = False
    only_binary: tuple[str, ...] = ()
    no_binary: tuple[str, ...] = ()
    build_isolation: bool = True
    build_constraint: tuple[Path, ...] = ()
    config_setting: Mapping[str, str | list[str]] = field(default_factory=dict)
    build_env: tuple[str, ...] = ()
    build_timeout: float = 3600.0
    allow_irregular: tuple[str, ...] = ()
    lock_timeout: float = 300.0
    job_url: str | None = None
    max_size: int | None = None
    max_age: float | None = None
    min_free: int | None = None
    auto_gc: bool = False
    report: Path | None = None
    json: bool = False
    progress: bool = True
    quiet: bool = False
    verbose: bool = False

    @property
    def used_scope(self) -> Scope:
        """The scope that holds: where nothing is said, untrusted jobs have a store of their own."""
        return self.scope or (Scope.JOB if self.trust is Trust.UNTRUSTED else Scope.RUNNER)

    @property
    def prereleases(self) -> PrereleasePolicy:
        """What ``--pre`` means."""
        return PrereleasePolicy.ALLOW if self.pre else PrereleasePolicy.IF_NECESSARY

    @property
    def format_control(self) -> FormatControl:
        """What ``--only-binary`` and ``--no-binary`` mean together."""
        return FormatControl(only_binary=_names(self.only_binary), no_binary=_names(self.no_binary))


def _names(values: tuple[str, ...]) -> frozenset[str]:
    """Read the value of ``--only-binary`` as pip does: commas separate, ``:none:`` empties what came before."""
    from packaging.utils import canonicalize_name

    found: set[str] = set()
    for value in values:
        for part in filter(None, (piece.strip() for piece in value.split(","))):
            if part == ":none:":
                found.clear()
            else:
                found.add(part if part == ":all:" else canonicalize_name(part))
    return frozenset(found)
