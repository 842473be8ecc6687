"""Following imports through the source: what counts, and what brings more than is named."""

from __future__ import annotations

from collections.abc import Set

import pytest

from leda_cli.base.errors import LedaError
from leda_cli.develop.import_graph import Module, Reached, follow


def reach(
    sources: dict[str, str], *, absent: Set[str] = frozenset(), reviewed: Set[str] = frozenset()
) -> Reached:
    """Follow `main` through modules of one wheel; a name with a slash at its end is a package."""
    modules = {}
    for key, text in sources.items():
        name = key.rstrip("/")
        owner = "" if name == "main" else "wheel"
        modules[name] = Module(name, key.endswith("/"), text.encode, owner)
    return follow(
        ["main"],
        modules,
        elsewhere=lambda top: top in {"os", "importlib", "contextlib"},
        absent=absent,
        reviewed=dict.fromkeys(reviewed, "read"),
        advice="add it",
    )


@pytest.mark.parametrize(
    "line",
    [
        "import a.b",
        "import a.b as x",
        "from a import b",
        "from a.b import name",
        "def f():\n    from a import b",
        "class C:\n    from a import b",
        "async def f():\n    async with x:\n        from a import b",
        "match x:\n    case 1:\n        from a import b",
        "while x:\n    pass\nelse:\n    import a.b",
        "try:\n    pass\nfinally:\n    import a.b",
        "try:\n    import os\nexcept ValueError:\n    import a.b",
        "from a import *",
    ],
)
def test_an_import_counts_wherever_it_stands(line: str) -> None:
    assert reach({"main": line, "a/": "", "a.b": ""}).modules == {"main", "a", "a.b"}


def test_a_package_comes_with_its_submodule() -> None:
    sources = {
        "main": "import a.b.c",
        "a/": "",
        "a.b/": "from . import d",
        "a.b.c": "",
        "a.b.d": "",
    }
    assert reach(sources).modules == {"main", "a", "a.b", "a.b.c", "a.b.d"}


def test_relative_imports_climb_from_a_module_and_from_a_package() -> None:
    sources = {
        "main": "import a.b.c",
        "a/": "",
        "a.x": "",
        "a.y": "",
        "a.b/": "from ..x import name",
        "a.b.c": "from .. import y",
    }
    assert reach(sources).modules == {"main", "a", "a.b", "a.b.c", "a.x", "a.y"}


def test_a_namespace_without_an_init_is_found() -> None:
    sources = {"main": "import google.protobuf.message", "google.protobuf/": ""}
    sources["google.protobuf.message"] = ""
    assert reach(sources).modules == {"main", "google.protobuf", "google.protobuf.message"}


def test_modules_that_import_each_other_end() -> None:
    sources = {"main": "import a", "a": "import b", "b": "def f():\n    import a"}
    assert reach(sources, absent={"x"}).modules == {"main", "a", "b"}


def test_what_a_wheel_certainly_needs_and_does_not_declare_is_missed() -> None:
    with pytest.raises(LedaError, match=r"a \(line 1\) imports six") as raised:
        reach({"main": "import a", "a": "import six"})
    assert raised.value.fix == "add it"


@pytest.mark.parametrize(
    "text",
    [
        "def f():\n    import six",
        "try:\n    import six\nexcept ImportError:\n    six = None",
        "import contextlib\nwith contextlib.suppress(ImportError):\n    import six",
        "import os\nif os.name == 'nt':\n    import six",
    ],
)
def test_what_a_wheel_may_do_without_is_not_missed(text: str) -> None:
    assert reach({"main": "import a", "a": text}).modules == {"main", "a"}


def test_a_late_import_that_cannot_load_without_an_absent_module_is_left_out() -> None:
    """With the whole wheel installed, that import fails as well."""
    sources = {
        "main": "import a",
        "a": "def f():\n    import b.c",
        "b/": "import d",
        "d": "import e",
        "e": "import pydantic",
        "b.c": "",
    }
    assert reach(sources, absent={"pydantic"}).modules == {"main", "a"}


def test_a_late_import_that_loads_without_it_is_carried() -> None:
    sources = {
        "main": "import a",
        "a": "def f():\n    import b",
        "b": "try:\n    import pydantic\nexcept ImportError:\n    pass",
    }
    assert reach(sources, absent={"pydantic"}).modules == {"main", "a", "b"}


def test_a_module_reached_late_and_certainly_is_carried_whole() -> None:
    sources = {
        "main": "import a\nimport b",
        "a": "def f():\n    import b",
        "b": "import c",
        "c": "",
    }
    assert reach(sources).modules == {"main", "a", "b", "c"}


@pytest.mark.parametrize(
    "call", ["importlib.import_module(name)", "__import__(name)", "sys.path.insert(0, name)"]
)
def test_a_module_whose_imports_cannot_be_known_brings_its_whole_wheel(call: str) -> None:
    sources = {"main": "import a", "a": f"import importlib\ndef f(name):\n    {call}", "b.c": ""}
    assert reach(sources).modules == {"main", "a", "b.c"}
    assert reach(sources, reviewed={"a"}).modules == {"main", "a"}
