"""Commands of an operator, with the real handlers over tables in memory; the test delivers the events."""

from support.fixtures import console, every_fault_is_met, no_pauses

__all__ = ["console", "every_fault_is_met", "no_pauses"]
