"""`make demo` on a new stack."""

import re
import socket
from pathlib import Path

import pytest

from support.live_stack import LiveStack
from support.local_command import leda


def test_a_small_demo_succeeds(stack: LiveStack, tmp_path: Path) -> None:
    done = leda(
        stack.aws.variables, tmp_path, "demo", "--rounds", "2", "--messages", "500", "--seed", "3"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1,000 messages, no total off by any amount" in done.stdout
    address = re.search(r"Watch it live: (http://127\.0\.0\.1:(\d+)/\S+/)", done.stdout)
    assert address, done.stdout
    with pytest.raises(ConnectionRefusedError):  # the page ends with the demo
        socket.create_connection(("127.0.0.1", int(address[2])), timeout=10)
    assert not {name: value for name, value in stack.stack.parameters().items() if value}
