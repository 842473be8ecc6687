"""ProcessKinesisRecords: logs each record of a Kinesis stream, and calls `process` of process.py with it."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

# The user's file in the package. mypy checks the whole tree, where there is no top-level module `process`.
from process import process  # type: ignore[import-not-found, unused-ignore]

from leda.aws.telemetry import count, logger, metrics
from leda.processor.processing import Processing
from leda.quarantine.bucket import Quarantine
from leda.quarantine.writer import QuarantineWriter
from leda.streams.kinesis import user_records

processing = Processing(process, QuarantineWriter(Quarantine.from_settings()))


@logger.inject_lambda_context
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Process the event's records; return their number and a partial batch response."""
    records = list(user_records(event["Records"]))
    report = processing.run(records, context.get_remaining_time_in_millis)
    count(Records=len(records), Processed=report.processed, Quarantined=report.quarantined)
    return report.answer()
