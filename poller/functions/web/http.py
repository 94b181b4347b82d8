"""Invokes functions behind HTTP, function URLs included: the event is the body of a POST, the status decides the
outcome.
"""

import ssl

from poller.aws.answers import retry_after
from poller.functions.function_errors import DETAIL, RESPONSE_LIMIT
from poller.functions.invoke_answers import outcome_of
from poller.functions.web.requests import Requests
from poller.http import HttpPool, Origin, Reply, TlsFiles, tls_context
from poller.http.proxied import ProxiedPool
from poller.policy.response import Failed, NotInvoked, Outcome, Succeeded, TooLarge
from poller.support.blocking import Blocking
from poller.values.errors import AnswerLost, ConfigurationError, NoCredentials, NotSent, Overdue, ServiceError
from poller.values.texts import shortened

LOOKED_AT = 20 * DETAIL
"""Bytes of a refusal that are searched for secrets; `DETAIL` of them are kept."""
NO_FILES = TlsFiles()
READING_SECONDS = 5.0
"""Seconds for reading a client certificate again."""


class HttpFunction:
    """Posts to one URL; redirects are not followed."""

    def __init__(
        self,
        name: str,
        url: str,
        requests: Requests,
        *,
        timeout: float,
        payload_limit: int,
        proxy: str | None = None,
        tls: TlsFiles = NO_FILES,
        aws: bool = False,
    ) -> None:
        """Call it inside the running loop. Raises ConfigurationError for a URL, file or proxy that cannot be used.

        `proxy`: the URL of the one to go through. `aws`: an AWS service stands in front of the function, and names its
        own refusals by error codes.
        """
        self.name = name
        self.timeout = timeout
        self.payload_limit = payload_limit
        self._requests = requests
        self._aws = aws
        self._files = tls
        self._certificate_is_old = False
        origin = Origin.of(url)
        context = tls_context(tls) if origin.scheme == "https" else None
        self._pool = HttpPool(origin, context) if proxy is None else ProxiedPool(origin, proxy, context)
        self._has_certificate = context is not None and tls.certificate is not None
        self._stamp = tls.stamp() if self._has_certificate else ()
        self._reading = Blocking("the client certificate", READING_SECONDS, spare=1)

    async def invoke(self, event: bytes, trace: str | None = None) -> Outcome:
        """See `Function.invoke`."""
        try:
            if self._certificate_is_old:
                self._certificate_is_old = False
                await self._read_certificate_again()
            request = await self._requests.build(event, trace)
            reply = await self._pool.exchange(request, self.timeout, RESPONSE_LIMIT)
        except ConfigurationError as error:
            return NotInvoked("configuration", str(error))
        except NoCredentials as error:
            return NotInvoked("credentials", str(error))
        except NotSent as error:
            # the other side may have refused a certificate that was renewed since
            await self._read_certificate_again()
            return NotInvoked("unreachable", str(error))
        except AnswerLost as error:
            return Failed("answer_lost", str(error))
        outcome = self._outcome(reply)
        if reply.status in (401, 403):
            await self._read_certificate_again()
            await self._requests.refused(reply)
        return outcome

    def _outcome(self, reply: Reply) -> Outcome:
        status = reply.status
        if 200 <= status < 300:
            return Succeeded(reply.body, reply.headers.get("x-amzn-requestid"))
        # hidden before it is cut, or the beginning of a secret might be left
        detail = shortened(self._requests.hide(reply.body[:LOOKED_AT].decode("utf-8", "replace")), DETAIL)
        code = reply.headers.get("x-amzn-errortype") if self._aws else None
        if code is not None:
            code = code.partition(":")[0]
            return outcome_of(ServiceError(status, code, detail, retry_after=retry_after(reply.headers)))
        if status in (429, 503):
            code = "throttled" if status == 429 else "unavailable"
            return NotInvoked(code, detail or f"HTTP {status}", retry_after(reply.headers))
        if status == 413:
            return TooLarge(detail)
        return Failed(f"http_{status}", detail, status=status)

    async def _read_certificate_again(self) -> None:
        """Read the certificate's files where they have changed. A thread reads them, because they may lie on a mount
        that hangs.
        """
        if not self._has_certificate:
            return
        try:
            renewed = await self._reading.run(_renewed, self._files, self._stamp)
        except (Overdue, OSError, ConfigurationError):
            # half written, or not there for a moment: the present certificate stays in use
            return
        if renewed is not None:
            tls, self._stamp = renewed
            self._pool.use(tls)

    def refresh(self) -> None:
        """See `Function.refresh`."""
        self._requests.forget()
        self._certificate_is_old = True

    async def close(self) -> None:
        """Close the connections."""
        await self._pool.close()


def _renewed(files: TlsFiles, known: object) -> tuple[ssl.SSLContext, tuple[tuple[int, int, int], ...]] | None:
    """A new TLS context where files have changed, else None. It is a new one, because the old one may be in the middle
    of a handshake.
    """
    stamp = files.stamp()
    return None if stamp == known else (tls_context(files), stamp)
