"""What ``direct_url.json`` says of a distribution that no index chose (PEP 610)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..models import ArchiveSource, DirectorySource, VcsSource

if TYPE_CHECKING:
    from collections.abc import Mapping

    from packaging.direct_url import DirectUrl

    from ..models import DirectSource


def direct_url_document(source: DirectSource, digests: Mapping[str, str]) -> dict[str, object]:
    """Return the document for *source*, without credentials, as pip writes it.

    :param digests: of the archive, algorithm to hexadecimal digest; empty for anything else.

    PEP 610 lets user names such as ``git`` in ``ssh://git@host`` stay; everything else is taken out.
    """
    return dict(_direct_url(source, digests).to_dict(generate_legacy_hash=True))


def _direct_url(source: DirectSource, digests: Mapping[str, str]) -> DirectUrl:
    from packaging.direct_url import ArchiveInfo, DirectUrl, DirInfo, VcsInfo

    match source:
        case DirectorySource():
            return DirectUrl(
                url=source.path.as_uri(),
                dir_info=DirInfo(editable=True if source.editable else None),
                subdirectory=source.subdirectory,
            )
        case VcsSource():
            info = VcsInfo(
                vcs=source.vcs, requested_revision=source.revision, commit_id=source.commit_id or source.revision or ""
            )
            return DirectUrl(url=source.url, vcs_info=info, subdirectory=source.subdirectory)
        case ArchiveSource():
            return DirectUrl(
                url=source.file.url,
                archive_info=ArchiveInfo(hashes=dict(digests) or None),
                subdirectory=source.subdirectory,
            )
