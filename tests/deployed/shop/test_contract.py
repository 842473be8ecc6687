"""schemathesis sends valid and invalid requests derived from the OpenAPI document, and checks the answers."""

import subprocess
import sys
from pathlib import Path

from leda_cli.base.paths import ROOT
from leda_cli.demos.shop_client import Shop
from support.openapi import OpenApi

OPENAPI = ROOT / "modules/shop/openapi.json"
EXAMPLES = 5
"""Random requests for each route; the limits of every field are tried besides."""

# The document cannot say that a product or a cursor must exist. The demo and test_pages.py send valid requests.
SEMANTIC = "positive_data_acceptance"
# An HTTP API answers a method that no route has with 404, and not with 405.
OF_THE_GATEWAY = "unsupported_method"


def test_answers_conform_to_the_openapi_document(shop: Shop, tmp_path: Path) -> None:
    command = [
        str(Path(sys.executable).with_name("schemathesis")),
        "run",
        str(OPENAPI),
        f"--url={shop.customers.url}",
        f"--header=Authorization: Bearer {shop.operator.token}",
        f"--max-examples={EXAMPLES}",
        f"--exclude-checks={SEMANTIC},{OF_THE_GATEWAY}",
        "--generation-deterministic",
        "--request-timeout=60",
        "--no-shrink",
        "--no-color",
        "--warnings=off",
    ]
    # schemathesis writes a cache to its working folder.
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False
    )
    report = done.stdout[-8000:] + done.stderr[-2000:]
    assert done.returncode == 0, report
    # Each phase has run; the last follows the document's links, from an order to its shipment.
    for phase in ("Examples", "Coverage", "Fuzzing", "Stateful"):
        assert f"✅ {phase}" in report, report
    assert f"Tested: {len(OpenApi(OPENAPI).operations)}" in report, report
