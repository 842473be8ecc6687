"""What every room of the `leda` command uses: errors, output, paths, locks, clients of AWS."""
