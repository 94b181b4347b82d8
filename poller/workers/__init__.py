"""The parent of `poller run --workers N`: starts N daemons as its workers, and shows them to the outside as one.

The parent polls nothing. It keeps small: nothing here imports more than the standard library, the exceptions and plain
rules. The workers' side of the channel is `poller.daemon.worker`.
"""
