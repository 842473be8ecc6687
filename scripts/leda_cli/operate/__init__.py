"""What an operator runs on an account: verify, redrive, replay, rebuild, backfill, erase, watch and totals."""
