"""The event of a tumbling window: its members in order, and never larger than was reckoned."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poller.policy.windows import Window
from poller.sources.sharded.window_event import added, with_window

ARN = "arn:aws:kinesis:eu-west-1:123456789012:stream/s"
OF = {"shard_id": "shardId-000000000000", "arn": ARN}
OPEN = Window(1767225600, 1767225660, b'{"n":1}', 3)


def test_the_whole_event_of_a_batch():
    assert with_window(b'{"Records":[{"a":1}]}', OPEN, **OF, final=False).decode() == (
        '{"Records":[{"a":1}],"window":{"start":"2026-01-01T00:00:00Z","end":"2026-01-01T00:01:00Z"},"state":{"n":1},'
        f'"shardId":"shardId-000000000000","eventSourceARN":"{ARN}",'
        '"isFinalInvokeForWindow":false,"isWindowTerminatedEarly":false}'
    )


@pytest.mark.parametrize("early", [False, True])
def test_the_closing_says_whether_it_comes_early(early):
    window = Window(0, 60, b"{}", terminated_early=early)
    event = json.loads(with_window(b'{"Records":[]}', window, **OF, final=True))
    assert (event["Records"], event["isFinalInvokeForWindow"], event["isWindowTerminatedEarly"]) == ([], True, early)


@given(st.dictionaries(st.text(), st.text(max_size=20), max_size=5), st.booleans(), st.booleans())
def test_it_is_never_larger_than_reckoned(state, final, early):
    window = Window(253402300740, 253402300799, json.dumps(state).encode(), 1, terminated_early=early)
    event = b'{"Records":[]}'
    assert len(with_window(event, window, **OF, final=final)) - len(event) <= added(window, **OF)
