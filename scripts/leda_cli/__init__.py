"""The `leda` command: sets up local AWS, deploys the stack, loads it and proves its totals."""
