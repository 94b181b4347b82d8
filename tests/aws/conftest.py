"""What the tests of both transports share."""

from tests.aws.conversation import sdk_does_not_sleep

__all__ = ["sdk_does_not_sleep"]
