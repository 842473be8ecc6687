"""The record processor: runs a user's function for each record. `leda.records` is what that function imports."""
