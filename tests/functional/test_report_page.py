"""The page of ``report --html``, as a browser shows it: on a phone, on a desk, on paper, in light and in dark.

The reports are those of real calls. What a report can be made to say by indexes, archives and folders is hostile, long, or not
of the Latin alphabet. `test_report.py` holds what needs no browser.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest
from helpers.browser import Browser
from helpers.capabilities import linux_only
from helpers.command import Command
from helpers.missing_parts import program
from helpers.stocked_index import StockedIndex, pins
from helpers.wheels import write_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# One browser for all of them.
pytestmark = [linux_only, pytest.mark.xdist_group("browser")]

# What is looked for in a PDF has to be in some font of this machine.
EVIL = "<img src=x onerror=\"document.title='owned'\"> wörk Ωμέγα"
LONG = "long-" + "x" * 90
PHONE, DESK = 360, 1280  # CSS pixels
REPORTS = ("many", "stepped-down", "failed")
EACH_REPORT = pytest.mark.parametrize("name", REPORTS)
EACH_WIDTH = pytest.mark.parametrize("width", [PHONE, 768, DESK])

TAGS = {
    "html", "head", "meta", "title", "style", "body", "header", "h1", "h2", "p", "strong", "pre", "ul", "li", "span", "i",
    "dl", "div", "dt", "dd", "table", "thead", "tbody", "tr", "th", "td", "small",
}  # fmt: skip
ATTRIBUTES = {"lang", "charset", "name", "content", "class", "style"}
XHTML = "{http://www.w3.org/1999/xhtml}"
# What is seen in the browser: expressions of JavaScript.
EVERYTHING = "[...document.querySelectorAll('*')]"
TEXTS = """(() => {
  const found = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode())
    if (walker.currentNode.data.trim() && walker.currentNode.parentElement.checkVisibility()) found.push(walker.currentNode);
  return found;
})()"""
# Elements whose content is wider than they are; a track cuts off what its last bar is too wide.
SCROLLING = f"""{EVERYTHING}.filter(
  each => each.clientWidth && each.scrollWidth > each.clientWidth + 1 && !each.matches(".track")
).map(each => each.outerHTML)"""
# Texts of which a line lies outside of an element that it is in.
CUT_OFF = f"""{TEXTS}.filter(text => {{
  const range = document.createRange();
  range.selectNodeContents(text);
  for (let around = text.parentElement; around; around = around.parentElement) {{
    if (getComputedStyle(around).display == "inline") continue;
    const outer = around.getBoundingClientRect();
    if ([...range.getClientRects()].some(line => line.left < outer.left - 1 || line.right > outer.right + 1)) return true;
  }}
  return false;
}}).map(text => text.data)"""
BARS = """[...document.querySelectorAll("tbody tr")].map(row => {
  const place = element => element.getBoundingClientRect();
  const track = place(row.querySelector(".track"));
  const bars = [...row.querySelectorAll(".bar")].map(bar => (
    { ...place(bar).toJSON(), colour: getComputedStyle(bar).backgroundColor }));
  return { name: row.querySelector(".name").textContent, track: [track.left, track.right, track.height], bars };
})"""
# The luminance of the page, and the contrast of every text to what is behind it, opacity included (WCAG 2.2, 1.4.3). Bars need
# two thirds of a text's (1.4.11).
CONTRASTS = f"""(() => {{
  const parse = text => {{ const all = text.match(/[\\d.]+/g).map(Number); return [...all.slice(0, 3), all[3] ?? 1]; }};
  const over = (top, below) => below.map((part, at) => top[at] * top[3] + part * (1 - top[3]));
  const linear = part => part <= .04045 ? part / 12.92 : ((part + .055) / 1.055) ** 2.4;
  const luminance = ([r, g, b]) => .2126 * linear(r / 255) + .7152 * linear(g / 255) + .0722 * linear(b / 255);
  const contrast = (...pair) => {{
    const [low, high] = pair.map(luminance).sort((one, other) => one - other);
    return (high + .05) / (low + .05);
  }};
  document.body.style.outlineColor = "Canvas";
  const canvas = parse(getComputedStyle(document.body).outlineColor).slice(0, 3);
  const behind = element => element
    ? over(parse(getComputedStyle(element).backgroundColor), behind(element.parentElement)) : canvas;
  const opacity = element => element ? getComputedStyle(element).opacity * opacity(element.parentElement) : 1;
  const texts = {TEXTS}.map(text => {{
    const element = text.parentElement, [r, g, b, a] = parse(getComputedStyle(element).color), back = behind(element);
    return [text.data, contrast(over([r, g, b, a * opacity(element)], back), back)];
  }});
  const bars = [...document.querySelectorAll(".bar, .key i")].map(
    bar => [bar.className, 1.5 * contrast(behind(bar), behind(bar.parentElement))]);
  return [luminance(canvas), [...texts, ...bars]];
}})()"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For each of `REPORTS` the page and, beside it, the report."""
    root = tmp_path_factory.mktemp("pages")
    with StockedIndex() as index:
        command = Command(home=root / "home", folder=root / EVIL)
        command.use(index)
        shelf = [index.wheel(f"library-{number:02}") for number in range(24)]
        shelf += [index.wheel(LONG, "1.0.dev20261120+local.build.of.the.day"), index.wheel("a", "2!1.0rc1")]
        shelf += [index.sdist("built", sleep=0.2), index.wheel("Dotted.Name")]
        nearby = write_wheel(command.folder / "日本 whéels", "nearby")
        digest = hashlib.sha256(nearby.read_bytes()).hexdigest()
        command.write("many.txt", f"{pins(*shelf)}{nearby.relative_to(command.folder)} --hash=sha256:{digest}\n")
        command("sync", "many.txt")
        keep(command, root / "many")
        # Two that bring the same file, whose name would be a tag if it were written as it stands and unescaped once.
        pair = [index.wheel(each, files={"both/&lt;b&gt;nöt&lt;.py": each}) for each in ("one", "two")]
        command.write("stepped-down.txt", pins(*pair))
        command("sync", "stepped-down.txt", "--seed", command.folder / "no seed" / EVIL)
        keep(command, root / "stepped-down")
        command.write(f"{EVIL}.txt", "absent==1.0\n")
        command("sync", f"{EVIL}.txt", code=1)
        keep(command, root / "failed")
    return root


def keep(command: Command, place: Path) -> None:
    """Move the last report to *place* and make its page."""
    shutil.move(command.report_path, place.with_suffix(".json"))
    command("report", place.with_suffix(".json"), "--html", "-o", place.with_suffix(".html"))


def report(pages: Path, name: str) -> Mapping[str, Any]:
    document: Mapping[str, Any] = json.loads((pages / f"{name}.json").read_text(encoding="utf-8"))
    return document


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("browser")) as browser:
        yield browser


@EACH_REPORT
def test_nothing_but_the_page_is_asked_for(browser: Browser, pages: Path, name: str) -> None:
    page = pages / f"{name}.html"
    shown = browser.show(page, width=DESK)
    assert shown.requests() == [page.as_uri()]
    # What is asked for only later, or only on paper.
    assert set(shown.value(f"{EVERYTHING}.flatMap(each => each.getAttributeNames())")) <= ATTRIBUTES
    styles = shown.value(f"{EVERYTHING}.map(each => each.localName == 'style' ? each.textContent : each.style.cssText)")
    assert not re.findall(r"url|@import|image|src|//", "".join(styles))


@EACH_REPORT
def test_hostile_texts_are_texts(browser: Browser, pages: Path, name: str) -> None:
    shown = browser.show(pages / f"{name}.html", width=DESK)
    text = " ".join(shown.value("document.body.innerText").split())
    assert EVIL in text
    if name == "stepped-down":
        assert "both/&lt;b&gt;nöt&lt;.py" in text
    assert shown.value("document.title") == f"ci-install sync: {report(pages, name)['outcome']}"
    assert set(shown.value(f"{EVERYTHING}.map(each => each.localName)")) <= TAGS


@EACH_REPORT
def test_the_page_says_what_the_report_says(browser: Browser, pages: Path, name: str) -> None:
    """On a phone nothing can be hovered over: it is there to be read."""
    document = report(pages, name)
    text = " ".join(browser.show(pages / f"{name}.html", width=PHONE).value("document.body.innerText").split())
    wanted = [each[field] for each in document["distributions"] for field in ("name", "version", "source", "origin")]
    wanted += [each[field] for each in document["step_downs"] for field in ("kind", "reason")]
    if document["error"]:
        wanted += [document["error"]["code"], document["error"]["message"], document["error"]["hint"]]
    wanted += [
        f"{span['phase']} {span['seconds']:.3f} s" for each in document["distributions"] for span in each["timeline"]
    ]
    assert len(wanted) >= {"many": 29 * 5, "stepped-down": 2 * 5 + 2 * 2, "failed": 3}[name]
    assert [each for each in wanted if each not in text] == []
    assert text.count(" B fetched") == sum(0 < each["bytes_fetched"] < 1000 for each in document["distributions"])


@EACH_REPORT
@EACH_WIDTH
def test_nothing_is_cut_off_and_nothing_scrolls_sideways(browser: Browser, pages: Path, name: str, width: int) -> None:
    shown = browser.show(pages / f"{name}.html", width=width)
    assert shown.value("document.documentElement.scrollWidth") <= width
    assert shown.value("innerWidth") == width
    assert shown.value(SCROLLING) == []
    assert shown.value(CUT_OFF) == []


@pytest.mark.parametrize("name", ["many", "stepped-down"])
@EACH_WIDTH
def test_each_phase_has_its_bar_where_it_was(browser: Browser, pages: Path, name: str, width: int) -> None:
    document = report(pages, name)
    rows = browser.show(pages / f"{name}.html", width=width).value(BARS)
    colours: dict[str, str] = {}
    assert [row["name"] for row in rows] == [each["name"] for each in document["distributions"]]
    for row, each in zip(rows, document["distributions"], strict=True):
        left, right, height = row["track"]
        assert 0 <= left < right <= width
        assert right - left >= width / 5
        assert height >= 8
        assert len(row["bars"]) == len(each["timeline"])
        assert each["timeline"] or each["origin"] == "local"
        scale = (right - left) / document["seconds"]
        for bar, span in zip(row["bars"], each["timeline"], strict=True):
            assert colours.setdefault(span["phase"], bar["colour"]) == bar["colour"]
            assert bar["right"] - bar["left"] == pytest.approx(max(2, span["seconds"] * scale), abs=1)
            assert bar["left"] - left == pytest.approx(min(span["start"] * scale, right - left - 2), abs=1)
            assert bar["right"] <= right + 1
            assert bar["height"] == pytest.approx(height, abs=1)
    assert len(set(colours.values())) == len(colours)


@EACH_REPORT
@pytest.mark.parametrize(("media", "dark"), [("", False), ("", True), ("print", True)], ids=["light", "dark", "print"])
def test_all_of_it_has_contrast(browser: Browser, pages: Path, name: str, media: str, *, dark: bool) -> None:
    """Paper is white, whatever the screen is."""
    shown = browser.show(pages / f"{name}.html", width=DESK, dark=dark, media=media)
    canvas, found = shown.value(CONTRASTS)
    assert (canvas < 0.1) if dark and not media else (canvas > 0.9)
    assert len(found) > 10
    assert [each for each in found if each[1] < 4.5] == []


@EACH_REPORT
def test_on_paper_everything_is_on_the_sheets(browser: Browser, pages: Path, tmp_path: Path, name: str) -> None:
    document = report(pages, name)
    paper = tmp_path / "page.pdf"
    browser.show(pages / f"{name}.html", width=DESK).print(paper)
    # Lines may break anywhere.
    text = "".join(pdftotext("-raw", paper).split())
    wanted = [EVIL]
    wanted += [each[field] for each in document["distributions"] for field in ("name", "version", "source")]
    wanted += [each[field] for each in document["step_downs"] for field in ("kind", "reason")]
    assert [each for each in wanted if "".join(each.split()) not in text] == []
    outside = []
    for sheet in ET.fromstring(pdftotext("-bbox", paper)).iter(f"{XHTML}page"):
        width, height = (float(sheet.attrib[side]) for side in ("width", "height"))
        for word in sheet.iter(f"{XHTML}word"):
            left, top, right, bottom = (float(word.attrib[side]) for side in ("xMin", "yMin", "xMax", "yMax"))
            if not (0 < left < right < width and 0 < top < bottom < height):
                outside.append(word.text)
    assert outside == []


def pdftotext(form: str, path: Path) -> str:
    tool = program("pdftotext", "apt-get install poppler-utils (as tests/install-parts.sh does)")
    done = subprocess.run([tool, form, path, "-"], capture_output=True, check=True, timeout=60)
    return done.stdout.decode("utf-8")


def test_no_process_of_the_browser_is_left(tmp_path: Path, pages: Path) -> None:
    with Browser(tmp_path / "browser") as browser:
        browser.show(pages / "failed.html", width=DESK)
        assert named_in_processes(tmp_path / "browser")
    assert not named_in_processes(tmp_path / "browser")


def named_in_processes(folder: Path) -> bool:
    """Whether a process has *folder* in its command line or its surroundings."""
    for process in os.listdir("/proc"):
        for name in ("cmdline", "environ") if process.isdigit() else ():
            with contextlib.suppress(OSError):
                if bytes(folder) in Path("/proc", process, name).read_bytes():
                    return True
    return False
