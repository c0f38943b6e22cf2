"""Attach a new environment to an image: it has its own interpreter, scripts and site-packages, and refers to the rest.

A ``.pth`` file brings the image's folders of modules behind the environment's own, so that what is installed into it
later is found first. Files outside of these folders (programs, ``share/``, ``etc/``) are placed as always. The time
that it takes does not depend on how many modules there are.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from ..fs._system import system_path
from ..fs.link import LinkEntry
from .contents import below, write_file
from .environment import ATTACHED
from .image import CONTENT, place_folders, read_recipe, write_scripts

if TYPE_CHECKING:
    from pathlib import Path

    from ..fs.link import Linker
    from .environment import Environment

_REFERENCE = "_safe_install_image.pth"
# A line that `site` executes. Where the image was removed by hand, imports fail: this says why.
_LINE = (
    "import os, site, sys; site.addsitedir({folder}) if os.path.isdir({folder}) else sys.stderr.write("
    "'safe-install: ' + {folder} + ', which this environment refers to, is gone; run ci-install sync again\\n')\n"
)


def attach(place: str, environment: Environment, tree: Path, linker: Linker) -> int:
    """Let the bare environment in *place* refer to the image whose files lie in *tree*; return how many files it got.

    :raises StoreError: as `Linker.link_files` and `write_file`. The caller undoes what an error leaves.
    """
    recipe = read_recipe(tree)
    folders: dict[str, list[LinkEntry]] = {}
    for path, executable in recipe["outside"]:
        folder, _, name = path.rpartition("/")
        folders.setdefault(folder, []).append(LinkEntry(name, executable))
    place_folders(tree, folders, place, linker)
    scripts = write_scripts(recipe, place, environment)
    libraries = [below(str(tree / CONTENT), each) for each in environment.libraries]
    lines = "".join(_LINE.format(folder=ascii(folder)) for folder in libraries)
    write_file(below(place, f"{environment.parts['purelib']}/{_REFERENCE}"), lines.encode(), executable=False)
    note = json.dumps({"image": str(tree.parent)}).encode()
    write_file(below(place, ATTACHED), note, executable=False)
    return len(recipe["outside"]) + len(scripts) + 2


def attached_to(root: str) -> str | None:
    """Return the folder of the image that the environment at *root* refers to; None where it refers to none."""
    try:
        with open(system_path(os.path.join(root, ATTACHED)), "rb") as file:
            image = json.loads(file.read()).get("image")
    except (OSError, ValueError, AttributeError):
        return None
    return str(image) if image else None
