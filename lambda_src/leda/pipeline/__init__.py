"""State: stores the newest version of each message's trade in StateTable. Also the workshop's game."""
