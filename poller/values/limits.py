"""Limits of AWS that several kinds of parts keep to."""

LONGEST_HOLD_SECONDS = 42_300
"""11 h 45 min: SQS hides a message for at most 12 h after its receive, and the release takes its time."""
SYNCHRONOUS_PAYLOAD_BYTES = 6 * 1024 * 1024
"""The largest event of a synchronous invocation: 6 MB, as Lambda's Invoke API counts them."""
