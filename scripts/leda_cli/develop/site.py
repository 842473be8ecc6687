"""`leda docs`: builds the documentation's site; checks the pages' words and links for `leda lint`."""

from __future__ import annotations

import os

from leda_cli.base.errors import LedaError
from leda_cli.base.output import info
from leda_cli.base.paths import LOCAL, ROOT, contained_environment
from leda_cli.develop import toolchain
from leda_cli.develop.environments import captured

SITE = LOCAL / "site"
# The Markdown that people read; each file is checked by the rules in .textlintrc.yml.
PAGES = (
    "*.md",
    ".github/*.md",
    "docs/*.md",
    "docs/decisions/*.md",
    "modules/*/README.md",
    "examples/*/README.md",
)


def docs() -> None:
    """Build the documentation's site in .local/site; a broken link is an error."""
    if problems := broken_links():
        raise LedaError(problems, "Correct the pages that the lines above name.")
    info(f"open {(SITE / 'index.html').relative_to(ROOT)}")


def broken_links() -> str:
    """Build the site; return mkdocs' complaints, or an empty text."""
    mkdocs = toolchain.install_tool("mkdocs", "docs")
    return _failure([str(mkdocs), "build", "--strict", "--site-dir", str(SITE)])


def wrong_words() -> str:
    """Check the pages' words; return textlint's complaints, or an empty text."""
    node = toolchain.find_node()
    modules = toolchain.install_textlint()
    pages = sorted(str(page.relative_to(ROOT)) for pattern in PAGES for page in ROOT.glob(pattern))
    command = [str(node), str(modules / "textlint" / "bin" / "textlint.js"), "--format", "unix"]
    return _failure(
        [*command, "--config", ".textlintrc.yml", "--rules-base-directory", str(modules), *pages]
    )


def _failure(command: list[str]) -> str:
    """Run a command in the checkout; return its output if it failed, otherwise an empty text."""
    done = captured(command, environment={**contained_environment(), "NO_MKDOCS_2_WARNING": "1"})
    if done.returncode == 0:
        return ""
    lines = (done.stdout + done.stderr).splitlines()
    return os.linesep.join(line for line in lines if not line.startswith("INFO"))
