"""LEDA's core: exact totals over a stream of messages.

Each idea has a file of its own. Pure: `numbers`, `schema`, `messages`, `hierarchy`, `images`, `deltas`,
`totals`, `lanes`, `statement_guess`, `recent_versions`. Each of these owns one AWS service's calls: `checkpoints` (the
transaction on which everything rests), `state_store`, `quarantine`, `stream_shape`, `faults`.
`exactly_once` is the loop that turns a batch of stream records into transactions.
"""
