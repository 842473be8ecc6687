"""MapLambda: sums the changes of a table's stream into rows of ReduceTable."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from leda.aws import settings
from leda.aws.dynamodb_client import connect, connect_streams
from leda.aws.faults import Faults
from leda.aws.telemetry import gigabytes, logger, metrics
from leda.engine.consumer import Consumer
from leda.engine.group_by.configuration import Configuration
from leda.engine.map.map_rows import MapRows
from leda.engine.map.source_shards import SourceShards
from leda.engine.registry import Registry
from leda.engine.rejects import Rejects
from leda.engine.shards import SingleShardStreams
from leda.quarantine.bucket import Quarantine
from leda.streams.windows import window_state
from leda.values.limits import Limits

# Writes of batches have their own backoff; all other calls are tried three times.
dynamodb, dynamodb_with_tries = connect(), connect(tries=3)
rejects = Rejects(Quarantine.from_settings(), logger.warning)
rows = MapRows(
    dynamodb,
    settings.required("REDUCE_TABLE"),
    Limits.from_json(settings.required("LIMITS")),
    SourceShards(
        Registry(dynamodb_with_tries, settings.required("REGISTRY_TABLE")),
        Configuration.from_json(settings.required("CONFIGURATION")),
        settings.positive("REDUCE_LANES", default=1),
        needs_backfill=settings.optional("BACKFILL") == "required",
    ),
    settings.positive("DELTA_RETENTION_SECONDS", default=2 * 24 * 3600),
    rejects.put,
)
single = SingleShardStreams(connect_streams()) if settings.optional("SINGLE_SHARD") else None
consumer = Consumer(rejects, single)
faults = Faults(dynamodb_with_tries, settings.optional("PARAMETER_TABLE"), "FAILURE_MAP_LAMBDA_PCT")


@logger.inject_lambda_context
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Add the event's changes to the rows of ReduceTable, each change once."""
    outcome = consumer.consume(event, rows.write)
    if outcome:
        gigabytes(LaneGigabytes=outcome.lane_gigabytes)
    if faults.must_fail():
        # After the write, which is the worst moment, because Lambda delivers all of the batch again.
        faults.fail()
    return window_state(event)
