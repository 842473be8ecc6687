"""The demos: the game, load, and the examples that can be played."""
