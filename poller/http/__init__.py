"""A small HTTP/1.1 client for known services: POST, keep-alive, bounded, one classified error per failed exchange.

It exists because the general clients cost several times the rest of the data plane together. It decides how bytes
are framed and when a connection may be used again; it knows nothing of AWS, retries or redirects. Where a proxy
has to be used, `poller.http.proxied` stands in with aiohttp.
"""

from poller.http.pool import HttpPool
from poller.http.reply import Origin, Reply
from poller.http.tls import TlsFiles, tls_context

__all__ = ["HttpPool", "Origin", "Reply", "TlsFiles", "tls_context"]
