"""Orders: what a customer asks for, the rows of an order, and orders that expire unpaid."""
