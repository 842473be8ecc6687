"""Fixtures of the tests of what stores messages."""

from support.fixtures import every_fault_is_met

__all__ = ["every_fault_is_met"]
