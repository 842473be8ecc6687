"""The replica: a second table that follows the changes of a table, in this Region and account or in others."""
