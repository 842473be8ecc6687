"""The functions' packages: complete except for the SDK, and the same bytes on every machine."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import io
import json
import os
import random
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from leda_cli.base.errors import LedaError
from leda_cli.base.paths import LOCAL, ROOT
from leda_cli.develop import packages, wheels
from leda_cli.develop.packages import Package
from support.processes import run

SOURCE = ROOT / "lambda_src"
NO_WHEELS = Path("/nonexistent")

Tree = Callable[[dict[str, str]], Path]

SDK = ("boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six", "urllib3")
"""What Lambda's Python runtimes have: the AWS SDK and what it needs.
https://docs.aws.amazon.com/lambda/latest/dg/lambda-python.html#python-sdk-included"""

ENVIRONMENT = {
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_LAMBDA_FUNCTION_NAME": "Function",
    "POWERTOOLS_SERVICE_NAME": "Function",
    "POWERTOOLS_METRICS_NAMESPACE": "LEDA",
    "POWERTOOLS_METRICS_FUNCTION_NAME": "Function",
    "STATE_TABLE": "StateTable",
    "REDUCE_TABLE": "ReduceTable",
    "AGGREGATE_TABLE": "AggregateTable",
    "REGISTRY_TABLE": "RegistryTable",
    "CONFIGURATION": '{"path": "Path", "measures": {"Count": {"op": "count"}}}',
    "MAPPINGS": "{}",
    "STOOD_STILL_SECONDS": "{}",
    "TABLES": "{}",
    "PARAMETER_TABLE": "ParameterTable",
    "REPLICA_TABLE": "UsersReplica",
    "REPLICA_REGION": "us-east-1",
    "PLACE_ATTRIBUTE": "_place",
    "END_ATTRIBUTE": "_end",
    "SOURCE_TABLE": "StateTable",
    "SHOP_TABLE": "UnifiedTable",
    "TOTALS_TABLE": "UnifiedTableTotals",
    "DELIVERY_STREAM": "shop-lake",
    "CREATE_VENDOR_ORDER_FUNCTION": "fnCreateVendorOrder",
    "WRITE_FIREHOSE_FUNCTION": "fnWriteFirehose",
    "QUARANTINE_BUCKET": "quarantine",
    "STREAM_NAME": "IncomingDataStream",
    "SCHEMA": "{}",
    "LIMITS": "{}",
}
"""What Terraform and Lambda set for a function; a handler reads it when it is imported."""


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """Make a lambda_src of one's own."""

    def make(files: dict[str, str]) -> Path:
        root = tmp_path / "lambda_src"
        for name, text in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        return root

    return make


@pytest.fixture(scope="session")
def installed() -> Path:
    return wheels.fetch(SOURCE / "requirements.lock", LOCAL / "wheels")


@pytest.fixture(scope="session")
def built(installed: Path) -> dict[str, Package]:
    return {package.function: package for package in packages.assemble(SOURCE, installed)}


@pytest.fixture(scope="session")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the libraries of Lambda's runtime: the SDK and its dependencies."""
    folder = tmp_path_factory.mktemp("runtime")
    for name in SDK:
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.origin
        origin = Path(spec.origin)
        shared = origin.parent if origin.name == "__init__.py" else origin
        (folder / shared.name).symlink_to(shared)
    return folder


def isolated(
    package: Package, runtime: Path, folder: Path, code: str, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run `code` as Lambda would: an interpreter that sees the unzipped package and the SDK alone."""
    with zipfile.ZipFile(io.BytesIO(package.content)) as file:
        file.extractall(folder)
    path = f"import sys; sys.path[:0] = {[str(folder)]!r}; sys.path.append({str(runtime)!r})\n"
    return run(sys.executable, "-I", "-S", "-B", "-c", path + code, input=stdin, env=ENVIRONMENT)


def names(package: Package) -> set[str]:
    return set(zipfile.ZipFile(io.BytesIO(package.content)).namelist())


def only(source: Path) -> set[str]:
    """The names in the package of the tree's only function."""
    [package] = packages.assemble(source, NO_WHEELS)
    return names(package)


# -- what a package carries --


def test_a_function_is_a_folder_with_a_handler(tree: Tree) -> None:
    source = tree({"b/handler.py": "", "a/handler.py": "", "leda/x.py": "", "notes/readme.md": ""})
    assert [package.function for package in packages.assemble(source, NO_WHEELS)] == ["a", "b"]


def test_a_tree_without_functions_is_refused(tree: Tree) -> None:
    with pytest.raises(LedaError, match=r"handler\.py"):
        packages.assemble(tree({"leda/x.py": ""}), NO_WHEELS)


def test_a_package_has_the_whole_core_and_the_files_beside_the_handler_without_caches(
    tree: Tree,
) -> None:
    source = tree(
        {
            "f/handler.py": "import helper\n",
            "f/helper.py": "import leda.a\n",
            "f/data/names.txt": "x",
            "f/__pycache__/handler.cpython-311.pyc": "x",
            "f/.hidden": "x",
            "f/handler.py~": "x",
            "leda/__init__.py": "",
            "leda/py.typed": "",
            "leda/sub/unused.py": "",
            "leda/__pycache__/a.cpython-311.pyc": "x",
        }
    )
    core = {f"leda/{name}" for name in ("__init__.py", "py.typed", "sub/unused.py")}
    assert only(source) == {"handler.py", "helper.py", "data/names.txt"} | core


def test_two_files_of_one_name_are_refused(tree: Tree) -> None:
    source = tree({"f/handler.py": "import leda", "f/leda/data.txt": "x", "leda/__init__.py": ""})
    (source / "leda/data.txt").write_text("y")
    with pytest.raises(LedaError, match=r"leda/data\.txt"):
        packages.assemble(source, NO_WHEELS)


# -- record processors --

CORE = {
    "process_records/handler.py": "from process import process\n",
    "process_records/process.py": "def process(record): ...\n",
    "leda/__init__.py": "",
    "leda/records.py": "",
    "leda/extra.py": "",
}
PROCESS = (
    "from leda import records\nimport helper\ndef process(record):\n    return helper.go(record)\n"
)


def processors(tree: Tree, **files: str) -> dict[str, Path]:
    """The folder `mine` somewhere else, with these files (`_` for `.`)."""
    return {
        "mine": tree({f"../elsewhere/mine/{n.replace('_', '.')}": t for n, t in files.items()})
        .joinpath("../elsewhere/mine")
        .resolve()
    }


def test_a_users_folder_replaces_process_py(tree: Tree) -> None:
    source = tree(CORE)
    mine = processors(tree, process_py=PROCESS, helper_py="import leda.extra\n", rules_json="{}")

    own, core = packages.assemble(source, NO_WHEELS, mine)

    assert (own.function, core.function) == ("mine", "process_records")
    shared = {"leda/__init__.py", "leda/records.py", "leda/extra.py"}
    assert names(core) == {"handler.py", "process.py"} | shared
    assert names(own) == {"handler.py", "process.py", "helper.py", "rules.json"} | shared
    assert zipfile.ZipFile(io.BytesIO(own.content)).read("process.py").decode() == PROCESS


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, r"has no process\.py"),
        ({"helper_py": ""}, r"has no process\.py"),
        ({"process_py": "def other(record): ..."}, "defines no function `process`"),
        ({"process_py": "def process(:"}, r"process\.py, line 1"),
        (
            {"process_py": "def process(record):\n    yield record"},
            "line 1: `process` is a generator",
        ),
        (
            {"process_py": "def process(record):\n  if 1:\n    x = yield from record"},
            "is a generator",
        ),
        ({"process_py": "\nasync def process(record): ..."}, "line 2: `process` is `async`"),
        ({"process_py": "def process(): ..."}, "called with one argument"),
        ({"process_py": "def process(event, context): ..."}, "called with one argument"),
        ({"process_py": "def process(record, *, option): ..."}, "called with one argument"),
        ({"process_py": "def process(*, record): ..."}, "called with one argument"),
        ({"process_py": "def process(r): ...\ndef process(): ..."}, "line 2: .* one argument"),
        ({"process_py": "class process: ..."}, "defines no function `process`"),
        ({"process_py": PROCESS, "handler_py": ""}, "the record processor's own file"),
    ],
)
def test_a_folder_without_a_usable_process_is_refused(
    tree: Tree, files: dict[str, str], said: str
) -> None:
    source = tree(CORE)
    with pytest.raises(LedaError, match=said):
        packages.assemble(source, NO_WHEELS, processors(tree, **files))


@pytest.mark.parametrize(
    "text",
    [
        "def process(record, /): ...",
        "def process(*records): ...",
        "def process(record, option=1, *, more=2, **others): ...",
        "def process(record=None): ...",
        "def process(record):\n    def each():\n        yield 1\n    return list(each())",
        "def process(record):\n    return list(x for x in record)",
        "def process(): ...\ndef process(record): ...",
        "from functools import cache\n@cache\ndef process(): ...",
    ],
)
def test_a_process_that_can_be_called_with_a_record_is_packaged(tree: Tree, text: str) -> None:
    own, _ = packages.assemble(tree(CORE), NO_WHEELS, processors(tree, process_py=text))

    assert own.function == "mine"


def test_a_processor_with_the_name_of_a_function_is_refused(tree: Tree) -> None:
    source = tree({**CORE, "mine/handler.py": ""})
    with pytest.raises(LedaError, match="has the name of a function"):
        packages.assemble(
            source, NO_WHEELS, processors(tree, process_py="def process(record): ...")
        )


def test_processors_are_given_as_names_and_folders() -> None:
    assert packages.named_folders(["a=x", "b=../y=z"]) == {"a": Path("x"), "b": Path("../y=z")}
    for text in ("a", "a=", "=x", "a b=x", "../a=x"):
        with pytest.raises(LedaError, match="NAME=FOLDER"):
            packages.named_folders([text])
    with pytest.raises(LedaError, match="twice"):
        packages.named_folders(["a=x", "a=y"])


def test_a_processor_from_another_repository_runs_from_its_package(
    installed: Path, runtime: Path, tree: Tree, tmp_path: Path
) -> None:
    mine = processors(
        tree,
        process_py="from leda.records import Record\ndef process(record: Record): print(record.text())\n",
    )
    package = {p.function: p for p in packages.assemble(SOURCE, installed, mine)}["mine"]
    code = """
import handler, json
from types import SimpleNamespace
context = SimpleNamespace(function_name="f", memory_limit_in_mb=1, invoked_function_arn="a", aws_request_id="r",
                          get_remaining_time_in_millis=lambda: 60000)
handler.logger.setLevel("ERROR")
record = {"eventID": "shardId-1:1", "eventSourceARN": "arn", "kinesis": {"partitionKey": "k", "sequenceNumber": "1",
          "data": "aGVsbG8="}}
print(handler.lambda_handler({"Records": [record]}, context)["message"])
"""
    done = isolated(package, runtime, tmp_path / "package", code)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "hello"
    assert "Successfully processed 1 records." in lines


# -- the real functions --


@pytest.fixture(params=sorted(path.parent.name for path in SOURCE.glob("*/handler.py")))
def function(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_each_handler_can_be_imported_from_its_package_and_the_sdk(
    function: str, built: dict[str, Package], runtime: Path, tmp_path: Path
) -> None:
    code = "import handler\nassert callable(handler.lambda_handler)\nprint(handler.__file__)"
    done = isolated(built[function], runtime, tmp_path, code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(tmp_path / "handler.py")


def test_only_the_record_processor_has_the_utilities_that_ledas_functions_do_not_use(
    function: str, built: dict[str, Package]
) -> None:
    """A user's `process` may import all of Powertools but its HTTP router (docs/record-processor.md)."""
    utility = "aws_lambda_powertools/utilities/idempotency/__init__.py"
    assert (utility in names(built[function])) is (function == packages.PROCESSOR)


def test_a_package_has_no_compiled_code_and_no_local_paths(
    function: str, built: dict[str, Package]
) -> None:
    found = names(built[function])
    assert not [n for n in found if n.endswith((".so", ".pyd", ".pyc", ".pth")) or "bin/" in n]
    assert not [n for n in found if n.endswith(("/RECORD", "/INSTALLER", "/direct_url.json"))]
    assert str(ROOT).encode() not in built[function].content


def test_a_package_has_the_licences_of_its_libraries(
    function: str, built: dict[str, Package], installed: Path
) -> None:
    found = names(built[function])
    for about in installed.glob("*.dist-info"):
        assert f"{about.name}/METADATA" in found
        assert any(name.startswith(about.name) and "LICENSE" in name for name in found), about


# -- the same bytes on any machine and run --


def test_the_bytes_of_an_archive_do_not_depend_on_the_python_version() -> None:
    """Otherwise `terraform plan` would show changes that nobody made."""
    content = packages.archive({"b/ü.txt": b"b" * 100, "a.py": b"", "Z": b"z"})
    assert hashlib.sha256(content).hexdigest() == (
        "e989528425c78e38fce6c36664ad6f39b2ef34d8f4b9111f3ea50eb56fc0a688"
    )


def test_entries_are_sorted_uncompressed_and_readable_by_all(built: dict[str, Package]) -> None:
    for package in built.values():
        entries = zipfile.ZipFile(io.BytesIO(package.content)).infolist()
        assert [entry.filename for entry in entries] == sorted(names(package))
        for entry in entries:
            assert entry.compress_type == zipfile.ZIP_STORED
            assert entry.external_attr >> 16 == 0o100644
            assert entry.date_time == (1980, 1, 1, 0, 0, 0)


def test_two_machines_build_the_same_bytes(installed: Path, tmp_path: Path) -> None:
    digests = []
    for machine, (seed, umask, zone) in enumerate(
        [("1", 0o022, "UTC"), ("2", 0o077, "Asia/Tokyo")]
    ):
        home = tmp_path / f"machine {machine}"
        shuffled_copy(SOURCE, home / "checkout" / "lambda_src", machine)
        shuffled_copy(installed, home / "wheels" / installed.name, machine)
        code = (
            "import sys; from pathlib import Path; from leda_cli.develop import packages, wheels\n"
            "source, cache, output = map(Path, sys.argv[1:])\n"
            "wheels._install = None\n"
            "found = wheels.fetch(source / 'requirements.lock', cache)\n"
            "packages.write(packages.assemble(source, found), output)\n"
        )
        folders = [home / "checkout" / "lambda_src", home / "wheels", home / "build"]
        subprocess.run(
            [sys.executable, "-c", code, *map(str, folders)],
            cwd=home,
            env={"PYTHONPATH": str(ROOT / "scripts"), "PYTHONHASHSEED": seed, "TZ": zone},
            umask=umask,
            check=True,
        )
        digests.append(
            {
                path.name: hashlib.sha256(path.read_bytes()).hexdigest()
                for path in (home / "build").iterdir()
            }
        )
    assert digests[0] == digests[1]
    assert "packages.json" in digests[0]
    assert len(digests[0]) > 1


def shuffled_copy(source: Path, target: Path, seed: int) -> None:
    """Copy a tree in another order, with other times and modes."""
    dice = random.Random(seed)
    files = sorted(p for p in source.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
    dice.shuffle(files)
    for file in files:
        copy = target / file.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)
        os.utime(copy, (moment := dice.randrange(10**9), moment))
        copy.chmod(dice.choice([0o600, 0o644, 0o755]))


# -- what lies in build/ --


def test_the_manifest_describes_the_packages(built: dict[str, Package], tmp_path: Path) -> None:
    packages.write(list(built.values()), tmp_path)
    manifest = json.loads((tmp_path / "packages.json").read_text())
    assert manifest.keys() == built.keys()
    for function, entry in manifest.items():
        content = (tmp_path / entry["file"]).read_bytes()
        digest = hashlib.sha256(content)
        assert entry == {
            "file": f"{function}.zip",
            "sha256": digest.hexdigest(),
            "base64sha256": base64.b64encode(digest.digest()).decode(),
            "size": len(content),
            "key": f"{function}-{digest.hexdigest()[:16]}.zip",
        }


def test_the_package_of_a_removed_function_is_deleted(tree: Tree, tmp_path: Path) -> None:
    source = tree({"a/handler.py": "", "b/handler.py": ""})
    packages.write(packages.assemble(source, NO_WHEELS), tmp_path / "build")
    shutil.rmtree(source / "b")
    packages.write(packages.assemble(source, NO_WHEELS), tmp_path / "build")
    assert sorted(p.name for p in (tmp_path / "build").iterdir()) == ["a.zip", "packages.json"]


def test_only_changed_packages_are_written_and_named(
    tree: Tree, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, output = tree({"one/handler.py": "x = 1\n", "two/handler.py": ""}), tmp_path / "build"

    def said() -> str:
        packages.write(packages.assemble(source, NO_WHEELS), output)
        return capsys.readouterr().out

    first = said()
    assert "one.zip" in first
    assert "two.zip" in first
    os.utime(output / "two.zip", (1, 1))
    (source / "one" / "handler.py").write_text("x = 3\n")
    second = said()
    assert "one.zip" in second
    assert "two.zip" not in second
    assert (output / "two.zip").stat().st_mtime == 1
    assert said().strip() == "the functions' packages are up to date"


def test_without_a_virtual_environment_the_script_names_the_command_that_makes_it(
    tmp_path: Path,
) -> None:
    (tmp_path / "scripts").mkdir()
    script = shutil.copy(ROOT / "scripts" / "build", tmp_path / "scripts" / "build")
    done = run(script)
    assert done.returncode == 1
    assert "scripts/bootstrap" in done.stderr
