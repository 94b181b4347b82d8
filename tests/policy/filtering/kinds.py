"""The members of each kind of record, as its source hands them to the filters."""

from poller.sources.kinds import KINDS

RECORDS = {name: kind.members for name, kind in KINDS.items()}
SQS_RECORDS, KINESIS_RECORDS, DYNAMODB_RECORDS = RECORDS["sqs"], RECORDS["kinesis"], RECORDS["dynamodb"]
