"""The quarantine: the bucket for records that cannot be processed, and the writer of a batch's records."""
