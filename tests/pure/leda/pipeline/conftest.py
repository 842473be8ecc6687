"""Fixtures of the tests of the pipeline."""

from support.fixtures import every_fault_is_met

__all__ = ["every_fault_is_met"]
