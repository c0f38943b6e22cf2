"""Write what the doors of CI platforms say of their inputs: ``python3 dev.py run python docs/door_files.py``.

A test compares the files with what this makes, so that no door can differ from the table in `safe_install.doors`.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path

import jinja2

from safe_install.doors import INPUTS, OUTPUTS

ROOT = Path(__file__).parents[1]
FILES = {
    "action.yml": "action.yml.j2",
    "gitlab/safe-install.gitlab-ci.yml": "gitlab.yml.j2",
    "jenkins/vars/safeInstall.groovy": "safeInstall.groovy.j2",
    "jenkins/vars/safeInstall.txt": "safeInstall.txt.j2",
    "templates/safe-install/template.yml": "gitlab.yml.j2",
}
"""Paths in the checkout, and the templates in ``templates/doors`` that they are made of."""
COPIES = {"jenkins/resources/org/safeinstall/start.py": "bootstrap/start.py"}
"""What a platform finds only in a folder of its own, and of what it is a copy."""


def door_files() -> dict[Path, str]:
    """Return the files by their path."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(ROOT / "templates" / "doors"),
        autoescape=False,  # noqa: S701 - YAML and Groovy are no HTML
        trim_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
    )
    # A text of JSON is one of YAML; Jinja's own filter writes some letters as escapes for HTML.
    environment.filters["quoted"] = functools.partial(json.dumps, ensure_ascii=False)
    start = (ROOT / "bootstrap" / "start.py").read_text(encoding="utf-8").rstrip()
    made = {
        path: environment.get_template(name).render(inputs=INPUTS, outputs=OUTPUTS, start=start)
        for path, name in FILES.items()
    }
    made |= {path: (ROOT / source).read_text(encoding="utf-8") for path, source in COPIES.items()}
    return {ROOT / path: text for path, text in made.items()}


if __name__ == "__main__":
    for path, text in door_files().items():
        path.write_text(text, encoding="utf-8", newline="\n")
