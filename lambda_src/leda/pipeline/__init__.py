"""State: stores the newest version of each message's trade in StateTable. Also the workshop's game.

ingest            what State does with a batch: reads the messages, stores them, quarantines the others
messages          reads a message, and says what is wrong with one that cannot be read
schema            the names of a message's fields, the levels of the hierarchy, the limits of a value
state_rows        the row of StateTable that a message becomes
state_store       the conditional writes, which find out whether a version is new, a duplicate or stale
recent_versions   a bounded cache of the versions that the rows have
statement_guess   the first request about a trade that is not in the cache

game              a burst's messages, the totals that they must give, and a round's points
round             plays one round: sends a burst, waits for exact totals, adds the points
"""
