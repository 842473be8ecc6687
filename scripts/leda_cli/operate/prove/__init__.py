"""`leda prove`: checks a deployment, sends messages of its own through it, compares their totals, and measures."""
