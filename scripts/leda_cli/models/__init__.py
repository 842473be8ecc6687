"""Models of the pipeline: prices, units, load, cost and scale."""
