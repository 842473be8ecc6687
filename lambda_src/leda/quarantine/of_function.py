"""Makes the quarantine of the function that runs, from its settings."""

from leda.aws import clients, settings
from leda.quarantine.bucket import Quarantine


def quarantine() -> Quarantine:
    """The quarantine in the bucket QUARANTINE_BUCKET. Raises MissingSettingError."""
    return Quarantine(
        clients.s3(),
        settings.required("QUARANTINE_BUCKET"),
        settings.function_name(),
    )
