"""Whether a connection to an origin can be opened, as `check --connect` tries it."""

import asyncio

from poller.http import Origin, TlsFiles, tls_context
from poller.http.dial import dial
from poller.values.errors import NotSent

SECONDS = 15.0


async def connect(url: str, files: TlsFiles | None = None) -> None:
    """Open a connection as the daemon would, TLS verified, and close it again. Raises NotSent."""
    origin = Origin.of(url)
    tls = tls_context(files) if origin.scheme == "https" else None
    try:
        async with asyncio.timeout(SECONDS):
            connected = await dial(origin)
            _, writer = await asyncio.open_connection(
                sock=connected, ssl=tls, server_hostname=origin.host if tls else None
            )
    except TimeoutError:
        raise NotSent(f"{origin}: no connection within {SECONDS:g} s") from None
    except OSError as error:
        # of TLS too, whose own words are the best there are
        raise NotSent(f"{origin}: {error.strerror or error}") from error
    writer.close()
    try:
        await writer.wait_closed()
    except OSError:
        return
