"""Check the built site: every link within it leads somewhere, and no page loads a script or a style from elsewhere.

python docs/check_site.py docs/_build/html
"""

import re
import sys
from functools import cache
from pathlib import Path
from urllib.parse import unquote


@cache
def _anchors(page: Path) -> set[str]:
    return set(re.findall(r'(?:id|name)="([^"]+)"', page.read_text(encoding="utf-8")))


def broken_links(root: Path) -> list[str]:
    """List the links and pictures of the site that lead nowhere."""
    broken = []
    for page in _pages(root):
        for link in sorted(set(re.findall(r'(?:href|src)="([^"]+)"', page.read_text(encoding="utf-8")))):
            target, _, anchor = link.replace("&amp;", "&").partition("#")
            if re.match(r"[a-z]+:|//", target):
                continue
            file = (page.parent / unquote(target.partition("?")[0])).resolve() if target else page
            found = file / "index.html" if file.is_dir() else file
            if not found.exists() or (anchor and found.suffix == ".html" and anchor not in _anchors(found)):
                broken.append(f"{page.relative_to(root)}: {link}")
    return broken


def foreign_assets(root: Path) -> list[str]:
    """List the scripts, styles and fonts that pages would load from another host."""
    address = re.compile(r'(?:href|src)="((?:https?:)?//[^"]+\.(?:js|css|woff2?)(?:\?[^"]*)?)"')
    return [
        f"{page.relative_to(root)}: {found}" for page in _pages(root) for found in address.findall(page.read_text())
    ]


def _pages(root: Path) -> list[Path]:
    return [
        page for page in sorted(root.rglob("*.html")) if page.relative_to(root).parts[0] not in ("_static", "_modules")
    ]


def main() -> None:
    """Print what is wrong and exit with 1, or print how many pages are right."""
    root = Path(sys.argv[1]).resolve()
    wrong = [*broken_links(root), *foreign_assets(root)]
    sys.stdout.write("\n".join([*wrong, f"{len(_pages(root))} pages, {len(wrong)} problems"]) + "\n")
    sys.exit(bool(wrong) or not _pages(root))


if __name__ == "__main__":
    main()
