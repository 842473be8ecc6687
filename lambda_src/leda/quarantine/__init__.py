"""The quarantine: the bucket for records that cannot be processed, and how a batch's records get there."""
