"""The tables of inputs and outputs in the READMEs of the Terraform modules.

`.venv/bin/python -m leda_cli.develop.module_docs` writes them between the markers below, from the module's
variables.tf and outputs.tf. With `--check` it only names the READMEs that are not current, and fails if there are any.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from leda_cli.base.paths import ROOT
from leda_cli.develop.hcl import Arguments, blocks, expression

BEGIN = "<!-- inputs and outputs: written by scripts/leda_cli/develop/module_docs.py -->"
END = "<!-- end of inputs and outputs -->"


class Unreadable(ValueError):
    """A block lacks its description, or a README its markers."""


def _cell(text: str) -> str:
    """The text for a table's cell, with line breaks before list items and paragraphs."""
    text = re.sub(r"\n(?:\n|(?=- ))", "<br>", text.strip().replace('\\"', '"'))
    return re.sub(r"\s*\n\s*", " ", text).replace("|", "\\|")


def tables(variables: str, outputs: str) -> str:
    """The two tables in Markdown, from the text of variables.tf and outputs.tf. Raises Unreadable."""
    lines = ["### Inputs", "", "| name | what it is | type | default |", "|---|---|---|---|"]
    for name, arguments in _described(variables, "variable"):
        kind, default = expression(arguments["type"]), "required"
        if "default" in arguments:
            default = expression(arguments["default"])
            is_text = kind == "string" and arguments["default"] is not None
            default = "`" + _cell(f'"{default}"' if is_text else default) + "`"
        lines.append(
            f"| `{name}` | {_cell(arguments['description'])} | `{_cell(kind)}` | {default} |"
        )
    lines += ["", "### Outputs", "", "| name | what it is |", "|---|---|"]
    for name, arguments in _described(outputs, "output"):
        lines.append(f"| `{name}` | {_cell(arguments['description'])} |")
    return "\n".join(lines)


def _described(text: str, kind: str) -> Iterator[tuple[str, Arguments]]:
    needed = {"variable": ("description", "type"), "output": ("description",)}[kind]
    for (name,), arguments in blocks(text, kind):
        if missing := [each for each in needed if not arguments.get(each)]:
            raise Unreadable(f'{kind} "{name}" has no {missing[0]}')
        yield name, arguments


def with_tables(readme: str, module_tables: str) -> str:
    """The README with the tables between its markers. Raises Unreadable without markers."""
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise Unreadable(f"there is no {BEGIN!r} ... {END!r} to write between")
    return f"{before}{BEGIN}\n\n{module_tables}\n\n{END}{after}"


def documented() -> list[Path]:
    """The folders whose README has the tables: every module, and each root module whose README has the markers."""
    modules = sorted(path.parent for path in ROOT.glob("modules/*/variables.tf"))
    others = [ROOT, *sorted(path.parent for path in ROOT.glob("examples/*/variables.tf"))]
    return modules + [
        folder
        for folder in others
        if (folder / "README.md").is_file() and BEGIN in (folder / "README.md").read_text()
    ]


def stale(write: bool = False) -> list[Path]:
    """The READMEs whose tables are not current; `write` makes them so. Raises Unreadable."""
    found: list[Path] = []
    for folder in documented():
        readme = folder / "README.md"
        try:
            text = readme.read_text()
            current = with_tables(
                text,
                tables((folder / "variables.tf").read_text(), (folder / "outputs.tf").read_text()),
            )
        except (Unreadable, FileNotFoundError) as error:
            raise Unreadable(f"{folder.relative_to(ROOT)}: {error}") from error
        if text != current:
            found.append(readme)
            if write:
                readme.write_text(current)
    return found


def main(arguments: list[str]) -> int:
    """Write the tables, or check them. Returns the exit status."""
    check = arguments == ["--check"]
    try:
        found = stale(write=not check)
    except Unreadable as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for readme in found:
        print(f"{'not current' if check else 'written'}: {readme.relative_to(ROOT)}")
    if check and found:
        print("run: .venv/bin/python -m leda_cli.develop.module_docs", file=sys.stderr)
    return 1 if check and found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
