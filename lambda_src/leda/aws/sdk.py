"""How boto3's clients are set up in the functions. Importing it takes 170 ms of a cold start: see docs/decisions."""

import botocore.config

from leda.aws import settings

CLIENT = botocore.config.Config(
    connect_timeout=settings.CONNECT_SECONDS,
    read_timeout=settings.READ_SECONDS,
    retries={"mode": "standard", "total_max_attempts": 3},
    tcp_keepalive=True,
    max_pool_connections=16,
    # Requests are built by code, and the service checks them: to check them here too is a fifth of a call's CPU.
    parameter_validation=False,
)
