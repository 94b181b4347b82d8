"""Whether a connection to an origin can be opened, as `check --connect` tries it."""

import asyncio

from poller.http import Origin, TlsFiles, tls_context
from poller.http.dial import dial
from poller.values.errors import NotSent

SECONDS = 15.0


async def connect(url: str, files: TlsFiles | None = None) -> None:
    """Open a connection as the daemon does, with TLS verified, and close it. Raises NotSent."""
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
        # TLS errors arrive here too, and their own text explains them best
        raise NotSent(f"{origin}: {error.strerror or error}") from error
    writer.close()
    try:
        await writer.wait_closed()
    except OSError:
        return
