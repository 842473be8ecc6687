"""Change capture: logs each change of a table, counts changes by kind, and publishes notifications."""
