"""Reading totals, their age, showing them, and comparing them with what they must be."""
