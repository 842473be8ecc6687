"""What every function needs of AWS: clients, settings, backoff, injected faults, logs and metrics."""
