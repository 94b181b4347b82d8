"""The pytest plugin: the fixture `poller_mapping` runs a mapping with the handler of a test until all is settled.

pytest imports this module in every run of an environment that has poller installed, so nothing else of poller is
imported before a test asks for the fixture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from poller.testing.run import MappingRuns


@pytest.fixture
def poller_mapping() -> MappingRuns:
    """Run an event source mapping against a queue or stream until all is settled, and return what came of it.

        def test_orders_are_shipped(poller_mapping):
            run = poller_mapping(QUEUE_ARN, handler, aws={"endpoint_url": "http://127.0.0.1:4566"}, batch_size=5)
            assert run.delivered == 3

    The parameters are those of a mapping in a configuration file. A mapping that is not settled within `seconds` fails
    the test with the reason.
    """
    from poller.testing.run import MappingRuns  # noqa: PLC0415  (see above)

    return MappingRuns()
