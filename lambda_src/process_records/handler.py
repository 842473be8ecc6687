"""ProcessKinesisRecords: logs each record of a Kinesis stream and hands it to `process` of process.py beside it."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

# The user's file in the package; a checker that looks at the whole tree knows no top-level `process`.
from process import process  # type: ignore[import-not-found, unused-ignore]

from leda.aws.telemetry import count, logger, metrics
from leda.processor.processing import Processing
from leda.quarantine.of_function import quarantine
from leda.quarantine.writer import QuarantineWriter
from leda.streams.kinesis import user_records

processing = Processing(process, QuarantineWriter(quarantine()))


@logger.inject_lambda_context
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Process the event's records; answers how many, and which must be delivered again (partial batch response)."""
    records = list(user_records(event["Records"]))
    report = processing.run(records, context.get_remaining_time_in_millis)
    count(
        Records=len(records),
        Processed=report.processed,
        Quarantined=report.quarantined,
    )
    return report.answer()
