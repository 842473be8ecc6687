"""Hooks of mkdocs (mkdocs.yml) that turn READMEs of other folders into pages of the site, and adapt the links.

The Markdown files are written for the repository: a page links to a module by its folder and to a source file by its
path. In the site, a link to a page or to a folder with a README leads to that page. A link to a source file becomes
plain text, because the site does not have the sources. A broken link stays as it is, and mkdocs, which runs with
--strict, refuses it.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = next(
    folder for folder in Path(__file__).resolve().parents if (folder / "mkdocs.yml").is_file()
)

# Fenced code, a link or image (not to a URL or a mere anchor), or inline code, whichever begins first.
_TOKEN = re.compile(
    r"^ *```.*?^ *```$"
    r"|(?P<image>!?)\[(?P<text>(?:[^\[\]]|\[[^\[\]]*\])*)\]\((?![a-z]+:|#)(?P<target>[^)#\s]+)(?P<anchor>#[^)\s]*)?\)"
    r"|`[^`\n]+`",
    re.MULTILINE | re.DOTALL,
)


def _pages() -> dict[str, str]:
    """The pages from outside docs/: their paths in the repository, and their paths in the site."""
    found = {
        f"{name}.md": f"{name.lower()}.md" for name in ("CHANGELOG", "CONTRIBUTING", "SECURITY")
    }
    for file in sorted([*ROOT.glob("modules/*/README.md"), *ROOT.glob("examples/*/README.md")]):
        folder = file.parent.relative_to(ROOT).as_posix()
        found[f"{folder}/README.md"] = f"{folder}.md"
    return found


PAGES = _pages()
SOURCES = {page: source for source, page in PAGES.items()}


def on_config(config: Any) -> Any:
    """Replace `<folder>/*` in the navigation by the pages of that folder."""
    config.nav = _expanded(config.nav)
    return config


def _expanded(nav: Any) -> Any:
    if isinstance(nav, list):
        return [_expanded(entry) for entry in nav]
    if isinstance(nav, dict):
        return {title: _expanded(entry) for title, entry in nav.items()}
    if not nav.endswith("/*"):
        return nav
    folder = nav.removesuffix("*")
    own = sorted(f"{folder}{file.name}" for file in (ROOT / "docs" / folder).glob("*.md"))
    return own or [page for page in PAGES.values() if page.startswith(folder)]


def on_files(files: Files, config: Any) -> Files:
    """Add the pages from outside docs/."""
    for source, page in PAGES.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / source)))
    return files


def on_page_markdown(markdown: str, page: Page, config: Any, files: Files) -> str:
    """Replace the page's links by those of the site."""
    place = page.file.src_uri
    source = SOURCES.get(place, f"docs/{place}")
    return _TOKEN.sub(lambda token: _linked(token, source, place), markdown)


def _linked(token: re.Match[str], source: str, place: str) -> str:
    """The link as the site needs it; code and broken links stay as they are."""
    image, text, target, anchor = token.group("image", "text", "target", "anchor")
    if target is None:
        return token.group()
    path = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
    readme = next((name for name in (path, f"{path}/README.md") if name in PAGES), None)
    if readme:
        page = PAGES[readme]
    elif path.startswith("docs/") and (ROOT / path).is_file():
        page = path.removeprefix("docs/")
    elif (ROOT / path).exists():
        return text
    else:
        return token.group()
    there = posixpath.relpath(page, posixpath.dirname(place) or ".")
    return f"{image}[{text}]({there}{anchor or ''})"
