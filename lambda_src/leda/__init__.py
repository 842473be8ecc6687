"""LEDA's core: exact totals over a stream of messages.

Each idea has a file of its own. `engine` keeps the totals, `shop` is the shop. Pure: `numbers`, `schema`, `messages`,
`hierarchy`, `images`, `changes`, `statement_guess`, `recent_versions`. Each of these owns one AWS service's calls:
`state_store`, `quarantine`, `faults`.
"""
