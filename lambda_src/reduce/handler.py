"""ReduceLambda: adds the rows of ReduceTable's stream to the totals in AggregateTable."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from leda.aws import settings
from leda.aws.dynamodb_client import connect, connect_streams
from leda.aws.faults import Faults
from leda.aws.telemetry import lag, logger, metrics
from leda.engine.consumer import Consumer
from leda.engine.reduce.epochs import Epochs
from leda.engine.reduce.totals import KEY, Totals
from leda.engine.registry import Configurations, Registry
from leda.engine.rejects import Rejects
from leda.engine.shards import SingleShardStreams
from leda.quarantine.bucket import Quarantine
from leda.streams.windows import window_state

# Writes of batches have their own backoff; all other calls are tried three times.
dynamodb, dynamodb_with_tries = connect(), connect(tries=3)
streams = connect_streams()
rejects = Rejects(Quarantine.from_settings(), logger.warning)
registry = Registry(dynamodb_with_tries, settings.required("REGISTRY_TABLE"))
totals = Totals(
    dynamodb,
    settings.required("AGGREGATE_TABLE"),
    Epochs(registry, streams),
    Configurations(registry),
    rejects.put,
    settings.positive("REDUCE_THREADS", default=4),
    settings.optional("TOTALS_KEY") or KEY,
)
consumer = Consumer(
    rejects, SingleShardStreams(streams) if settings.optional("SINGLE_SHARD") else None
)
faults = Faults(
    dynamodb_with_tries, settings.optional("PARAMETER_TABLE"), "FAILURE_REDUCE_LAMBDA_PCT"
)


@logger.inject_lambda_context
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Add the event's rows of ReduceTable to the totals, each row once."""
    outcome = consumer.consume(event, totals.apply)
    if outcome:
        lag(outcome.oldest)
    if faults.must_fail():
        # After the write, which is the worst moment, because Lambda delivers all of the batch again.
        faults.fail()
    return window_state(event)
