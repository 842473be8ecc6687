"""Values: exact numbers and their limits, JSON, texts, batches, and DynamoDB's typed JSON. Pure functions, no AWS."""
