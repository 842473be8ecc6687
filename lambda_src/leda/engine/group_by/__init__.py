"""The configuration: which rows of the source table are counted in which totals.

configuration     computes what an image of the source table adds to which totals; the version of that definition
groupings         all groupings of a configuration
grouping          one grouping: its written form, the totals that count a row, and their expiry
grouping_keys     the keys and conditions of a grouping
attributes        reads a row's attributes: nested ones, texts of keys, time buckets
identifiers       escapes the texts of keys in a total's identifier
plain_key         one grouping of one key, whose text is the identifier
hierarchy_path    the pipeline's totals: a path in a tree, and every level above it
hierarchy         the tree of totals: a path names a leaf, and each of its prefixes a node above it
total_labels      the attributes with a total's grouping, keys, parent and expiry
"""
