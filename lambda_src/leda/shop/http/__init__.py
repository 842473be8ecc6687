"""The shop's HTTP API: requests and answers, and what each route does."""
