"""The pages' links lead to what is there, and addresses of the project are the same everywhere. No network is needed."""

import re
import tomllib
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").glob("*.md"),
        *(ROOT / "docs" / "results").glob("*.md"),
        *ROOT.glob("benchmarks/**/*.md"),
    ]
)
LINK = re.compile(r"\]\(([^)\s]+)\)")
FENCE = re.compile(r"^(```+|~~~+).*?^\1", re.MULTILINE | re.DOTALL)
MADE_BY_THE_SITE = {"recipe-reference", "command-line", "auto_examples/index", "api/index"}


def anchors(path):
    """Give the anchors of a page's headings, as GitHub and MyST make them."""
    headings = re.findall(r"^#+ (.*)$", FENCE.sub("", path.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_within_the_project_lead_somewhere(page):
    broken = []
    for link in LINK.findall(FENCE.sub("", page.read_text(encoding="utf-8"))):
        target, _, anchor = link.partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        place = (page.parent / unquote(target)).resolve() if target else page
        if target in MADE_BY_THE_SITE:
            continue
        if not place.exists() or (anchor and place.suffix == ".md" and anchor not in anchors(place)):
            broken.append(link)
    assert broken == []


def test_the_project_has_one_address():
    urls = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]
    source = urls["Source"].removeprefix("https://github.com/")
    owner, _, name = source.partition("/")
    allowed = (f"github.com/{source}", f"{owner}.github.io/{name}", f"raw.githubusercontent.com/{source}")
    assert urls["Documentation"] == f"https://{owner}.github.io/{name}"
    paths = [
        *ROOT.glob("*.md"),
        ROOT / "CITATION.cff",
        ROOT / "pyproject.toml",
        *(ROOT / ".github").rglob("*.yml"),
        *(path for path in (ROOT / "packaging").rglob("*") if path.is_file()),
    ]
    found = 0
    for path in paths:
        for address in re.findall(
            rf"[\w.-]*github[\w.]*/[\w./-]*{re.escape(name)}\b", path.read_text(encoding="utf-8")
        ):
            found += 1
            assert any(place in address for place in allowed), (path, address)
    assert found > 8


def test_versions_agree():
    version = re.search(r'= "(.+)"', (ROOT / "src" / "dnsp" / "_version.py").read_text())[1]
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text()
    assert f'version: "{version}"' in (ROOT / "packaging" / "conda" / "recipe.yaml").read_text()
    assert f"## [{version}]" in (ROOT / "CHANGELOG.md").read_text()


def test_the_readme_of_the_package_index_has_addresses_only():
    hook = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["metadata"]["hooks"][
        "fancy-pypi-readme"
    ]
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "](docs/" in text
    for step in hook["substitutions"]:
        text = re.sub(step["pattern"], step["replacement"], text)
    links = LINK.findall(FENCE.sub("", text))
    assert len(links) > 15
    assert [link for link in links if not link.startswith("https://")] == []
