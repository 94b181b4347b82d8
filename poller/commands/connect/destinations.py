"""Reaching an on-failure destination without sending it anything: whether it is there, as far as one may ask."""

from poller.aws.cold import ColdCalls
from poller.aws.trouble import DENIED
from poller.commands.connect.tries import Tries
from poller.commands.permissions import DESTINATION_ACTIONS
from poller.configuration import EventSourceMapping
from poller.errors import CallError, ServiceError
from poller.sources.sqs.queue import Queue, QueueName
from poller.wiring_streams import Streams, queue_url

FORBIDDEN = frozenset({"403", "Forbidden"})
"""What S3 answers to HEAD, which has no body to say more."""
ABSENT = frozenset({"404"})
ELSEWHERE = frozenset({"301", "PermanentRedirect"})


async def reach_destination(mapping: EventSourceMapping, arn: str, streams: Streams, tries: Tries) -> None:
    """Note in `tries` what came of it."""
    service = arn.split(":")[2]
    tries.untried.append(f"{DESTINATION_ACTIONS[service]} (it would send something)")
    asking = {"sqs": "sqs:GetQueueAttributes", "sns": "sns:GetTopicAttributes", "s3": "s3:ListBucket"}[service]
    try:
        await _ASK[service](mapping, arn, streams)
    except CallError as error:
        code = error.code if isinstance(error, ServiceError) else ""
        if code in DENIED or code in FORBIDDEN:
            # asking is not what it is for: no permission of the daemon is missing
            tries.untried.append(f"whether it is there ({asking} is not allowed, and need not be)")
        elif code in ABSENT:
            tries.trouble("source_missing", f"there is no such bucket: {error}")
        elif code not in ELSEWHERE:
            tries.refused(asking, error)


async def _ask_queue(mapping: EventSourceMapping, arn: str, streams: Streams) -> None:
    _, _, _, region, account, name = arn.split(":")
    transport = await streams.transports.get(mapping.aws, mapping.aws.region_of("sqs", region) or region)
    url = queue_url(arn, region, account, name, mapping.aws.for_service("sqs")[0])
    await Queue(QueueName(arn, url, region, fifo=False), transport).visibility_timeout()


async def _ask_topic(mapping: EventSourceMapping, arn: str, _streams: Streams) -> None:
    await ColdCalls(mapping.aws, arn.split(":")[3]).call("sns", "get_topic_attributes", TopicArn=arn)


async def _ask_bucket(mapping: EventSourceMapping, arn: str, _streams: Streams) -> None:
    await ColdCalls(mapping.aws, mapping.source.region).call("s3", "head_bucket", Bucket=arn.rpartition(":")[2])


_ASK = {"sqs": _ask_queue, "sns": _ask_topic, "s3": _ask_bucket}
