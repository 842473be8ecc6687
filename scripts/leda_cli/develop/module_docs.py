"""The tables of inputs and outputs in the READMEs of the Terraform modules.

`.venv/bin/python -m leda_cli.develop.module_docs` writes them between the markers below, from the module's
variables.tf and outputs.tf; with `--check` it only says which are not current, and fails. It reads files as
`terraform fmt` writes them: blocks begin and end in the first column, their arguments in the third.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
BEGIN = "<!-- inputs and outputs: written by scripts/leda_cli/develop/module_docs.py -->"
END = "<!-- end of inputs and outputs -->"

_BLOCK = re.compile(r'^(variable|output) "([^"]+)" \{\n(.*?)^\}$', re.MULTILINE | re.DOTALL)
_ARGUMENT = re.compile(r"^  (\w+) += (.*)$")
_HEREDOC = re.compile(r"^<<-(\w+)$")


class Unreadable(ValueError):
    """A block is not as `terraform fmt` writes it, or lacks its description."""


def _arguments(body: str) -> dict[str, str]:
    """The arguments of a block by name: a string's or heredoc's text, else the expression on one line."""
    found: dict[str, str] = {}
    lines = iter(body.splitlines())
    for line in lines:
        match = _ARGUMENT.match(line)
        if not match:
            continue
        name, value = match.groups()
        heredoc = _HEREDOC.match(value)
        if heredoc:
            found[name] = "\n".join(_until(lines, f"    {heredoc[1]}", f"  {heredoc[1]}"))
        elif value.startswith('"'):
            found[name] = value[1:-1].replace('\\"', '"')
        elif value[-1] in "([{":
            rest = [part.strip() for part in _until(lines, "  }", "  })", "  }))", "  ]", "  )")]
            found[name] = _on_one_line([value, *rest])
        else:
            found[name] = value
    return found


def _until(lines: Iterator[str], *ends: str) -> list[str]:
    """The lines up to one of `ends`; a closing bracket is kept, a heredoc's end mark is not."""
    taken: list[str] = []
    for line in lines:
        if line in ends:
            return taken if line.strip().isalpha() else [*taken, line]
        taken.append(line.strip())
    raise Unreadable(f"{ends[0].strip()} is missing")


def _on_one_line(lines: list[str]) -> str:
    parts = [re.sub(r"\s+= ", " = ", line) for line in lines]
    text = parts[0]
    for part in parts[1:]:
        glue = "" if text[-1] in "([{" or part[0] in ")]}" else ", "
        text += glue + part
    return text


def _cell(text: str) -> str:
    """The text in a table's cell: a list's items and paragraphs on lines of their own."""
    text = re.sub(r"\n(?:\n|(?=- ))", "<br>", text.strip())
    return re.sub(r"\s*\n\s*", " ", text).replace("|", "\\|")


def tables(variables: str, outputs: str) -> str:
    """The two tables in Markdown, from the text of variables.tf and outputs.tf. Raises Unreadable."""
    lines = ["### Inputs", "", "| name | what it is | type | default |", "|---|---|---|---|"]
    for name, arguments in _blocks(variables, "variable"):
        default = f"`{_cell(_default(arguments))}`" if "default" in arguments else "required"
        lines.append(
            f"| `{name}` | {_cell(arguments['description'])} | `{_cell(arguments['type'])}` | {default} |"
        )
    lines += ["", "### Outputs", "", "| name | what it is |", "|---|---|"]
    for name, arguments in _blocks(outputs, "output"):
        lines.append(f"| `{name}` | {_cell(arguments['description'])} |")
    return "\n".join(lines)


def _default(arguments: Mapping[str, str]) -> str:
    default = arguments["default"]
    return f'"{default}"' if arguments["type"] == "string" and default != "null" else default


def _blocks(text: str, kind: str) -> Iterator[tuple[str, dict[str, str]]]:
    for match in _BLOCK.finditer(text):
        if match[1] != kind:
            continue
        arguments = _arguments(match[3])
        needed = {"variable": ("description", "type"), "output": ("description",)}[kind]
        missing = [name for name in needed if not arguments.get(name)]
        if missing:
            raise Unreadable(f'{kind} "{match[2]}" has no {missing[0]}')
        yield match[2], arguments


def with_tables(readme: str, module_tables: str) -> str:
    """The README with the tables between its markers. Raises Unreadable without markers."""
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise Unreadable(f"there is no {BEGIN!r} ... {END!r} to write between")
    return f"{before}{BEGIN}\n\n{module_tables}\n\n{END}{after}"


def documented(root: Path = ROOT) -> list[Path]:
    """The folders whose README has the tables: every module, and every other root module that has the markers."""
    modules = sorted(path.parent for path in root.glob("modules/*/variables.tf"))
    others = [root, *sorted(path.parent for path in root.glob("examples/*/variables.tf"))]
    return modules + [
        folder
        for folder in others
        if (folder / "README.md").is_file() and BEGIN in (folder / "README.md").read_text()
    ]


def stale(root: Path = ROOT, write: bool = False) -> list[Path]:
    """The READMEs whose tables are not current; `write` makes them so. Raises Unreadable."""
    found: list[Path] = []
    for folder in documented(root):
        readme = folder / "README.md"
        try:
            text = readme.read_text()
            current = with_tables(
                text,
                tables((folder / "variables.tf").read_text(), (folder / "outputs.tf").read_text()),
            )
        except (Unreadable, FileNotFoundError) as error:
            raise Unreadable(f"{folder.relative_to(root)}: {error}") from error
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
