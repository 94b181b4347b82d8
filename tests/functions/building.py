"""Functions behind a URL, built with as little as a test needs to say."""

from poller.functions.web.http import HttpFunction
from poller.functions.web.requests import PlainRequests


def plain(url, *, headers=dict, signature=None, timeout=5.0, payload_limit=6_291_456, **more):
    requests = PlainRequests("f", url, headers, signature)
    return HttpFunction("f", url, requests, timeout=timeout, payload_limit=payload_limit, **more)
