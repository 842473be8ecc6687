"""Parts and vendor orders, and the restocking of parts that run low."""
