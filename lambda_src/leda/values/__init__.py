"""Values: exact numbers and their limits, JSON, texts, and DynamoDB's typed JSON. Pure functions, no AWS."""
