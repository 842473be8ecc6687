"""fnReadStream: invokes fnCreateVendorOrder and fnWriteFirehose with the changes of UnifiedTable's stream."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from leda.aws import clients, settings
from leda.aws.telemetry import count, logger, metrics
from leda.shop import rows
from leda.shop.stream import lake_lines
from leda.shop.stream.fan_out import CALL_LIMITS, FanOut, Target
from leda.streams.windows import window_state

fan_out = FanOut(
    clients.sdk("lambda", CALL_LIMITS),
    [
        # This one is first: if it fails, and Lambda delivers the batch again, the data lake has no line twice.
        Target(
            settings.required("CREATE_VENDOR_ORDER_FUNCTION"),
            lambda raw: lake_lines.kind_of(raw) == rows.PART,
        ),
        Target(settings.required("WRITE_FIREHOSE_FUNCTION"), lake_lines.is_wanted),
    ],
)


@logger.inject_lambda_context
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Invoke both functions with their records of the event. Raises NotDoneError."""
    fan_out.invoke(event)
    count(Records=len(event["Records"]))
    return window_state(event)
