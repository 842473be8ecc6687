"""DynamoDB in memory (`store`), as the simulation, the models, the benchmark and the tests use it."""
