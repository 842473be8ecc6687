"""What is counted: the configuration, and which totals a row of the source table counts in.

configuration     what an image of the source table adds to which totals, and the version of that definition
groupings         which totals a row counts in, by all groupings of a configuration
grouping          one grouping: its written form, the totals that a row counts in, and when these expire
grouping_keys     the keys and conditions of a grouping
attributes        how a row's attributes are read: nested ones, texts of keys, time buckets
identifiers       how the texts of keys stand in a total's identifier
plain_key         one grouping of one key, whose text is the identifier
hierarchy_path    the pipeline's totals: a path in a tree, and every level above it
hierarchy         the tree of totals: a path names a leaf, and each of its prefixes a node above it
total_labels      the attributes that say which total it is, and until when it is kept
"""
