"""The pipeline's ingest (State): from a message of the Kinesis stream to the newest version in StateTable; the game."""
