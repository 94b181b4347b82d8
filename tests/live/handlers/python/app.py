"""An ordinary Lambda function in Python: names the records that it cannot do, which are those told to fail at first."""

import base64
import os
from pathlib import Path

SEEN = Path(os.environ["SEEN"])


def handler(event, context):
    failed = []
    for record in event["Records"]:
        if "kinesis" in record:
            identifier = record["kinesis"]["sequenceNumber"]
            text = base64.b64decode(record["kinesis"]["data"]).decode()
        else:
            identifier, text = record["messageId"], record["body"]
        tried = SEEN / f"tried-{identifier}"
        if text.startswith("fail") and not tried.exists():
            tried.touch()
            failed.append({"itemIdentifier": identifier})
        else:
            (SEEN / f"done-{text.replace(' ', '-')}").touch()
    return {"batchItemFailures": failed}
