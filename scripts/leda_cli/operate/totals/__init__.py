"""The totals of the pipeline and of tables.

totals_reading  reads totals: one, the children of a node, the first by a measure, a whole grouping
totals_age      how old totals are
comparison      compares totals with what they must be, and waits until they are equal
oracle          what the pipeline's totals must be: one pass over the messages
screen          shows totals: live on a terminal, as lines elsewhere
"""
