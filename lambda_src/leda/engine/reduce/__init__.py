"""Reduce, the second stage: from ReduceTable's stream to the totals table.

epochs            the epochs of ReduceTable's shards, and positions of its records
reduce_batch      the rows of a batch as Reduce adds them: by checkpoint, and summed by total
total_statements  the PartiQL statements that make a total, add to it, and move its checkpoint
statement_errors  what to do about a total whose statement was not applied
totals            adds the rows to the totals, on condition of each total's own checkpoint
"""
