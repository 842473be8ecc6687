"""Fixtures of the tests of an operator's commands, which run over the real handlers and a DynamoDB in memory."""

from support.fixtures import console, every_fault_is_met, no_pauses

__all__ = ["console", "every_fault_is_met", "no_pauses"]
