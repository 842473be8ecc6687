"""The quarantined records: reading them, finding their reason, giving them to the functions again."""
