"""StateLambda: stores the newest version of each trade in StateTable, from the messages of the Kinesis stream."""

import random
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from leda.aws import settings
from leda.aws.dynamodb_client import connect, take_request_times
from leda.aws.faults import Faults
from leda.aws.telemetry import count, logger, metrics
from leda.pipeline.ingest import Ingest
from leda.pipeline.schema import Schema
from leda.pipeline.state_store import StateStore
from leda.quarantine.bucket import Quarantine
from leda.quarantine.writer import QuarantineWriter
from leda.streams import partial_batch
from leda.streams.kinesis import user_records

threads = settings.positive("WRITE_THREADS", default=4)
ingest = Ingest(
    Schema.from_json(settings.required("SCHEMA")),
    StateStore(connect(), settings.required("STATE_TABLE"), threads),
    QuarantineWriter(Quarantine.from_settings()),
)
faults = Faults(connect(tries=3), settings.optional("PARAMETER_TABLE"), "FAILURE_STATE_LAMBDA_PCT")


@logger.inject_lambda_context
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Store the event's messages; return a partial batch response."""
    records = list(user_records(event["Records"]))
    if faults.must_fail():
        # Fail at a random record of the batch: some messages are stored, and all of them are delivered again.
        ingest.store(records[: random.randrange(len(records) + 1)])
        faults.fail()
    report = ingest.store(records)
    count(Records=len(records), **report.counts)
    logger.info("stored", extra={**report.summary, "requests": take_request_times()})
    return partial_batch.answer(report.failed)
