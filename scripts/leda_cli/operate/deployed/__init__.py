"""The account and the parts of AWS in it: clients, functions, event source mappings, tables and shards."""
