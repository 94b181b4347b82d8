"""One exchange over HTTP/2: h2 handles the frames, this module the flow-control windows."""

from collections import deque

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    ResponseReceived,
    StreamEnded,
    StreamReset,
)
from h2.exceptions import H2Error
from h2.settings import SettingCodes

from poller.http.reply import Headers, Origin
from poller.values.errors import AnswerLost

WINDOW = 1024 * 1024
"""Bytes that the server may send ahead of the reader: half of a shard's output per second."""
FIRST_WINDOW = 65_535
"""Initial window of a connection in bytes; RFC 9113, 6.9.2."""


class Http2Exchange:
    """An exchange as the only stream of its connection."""

    def __init__(self, origin: Origin) -> None:
        self.status = 0
        self.headers = Headers({})
        self.complete = False
        self._origin = origin
        self._body: deque[DataReceived] = deque()
        self._connection = H2Connection(H2Configuration(client_side=True, header_encoding=None))
        self._stream = 0

    def begin(self, request: bytes) -> bytes:
        """`request` is the signed HTTP/1.1 request; its host becomes the authority."""
        head, _, body = request.partition(b"\r\n\r\n")
        line, *lines = head.decode("latin-1").split("\r\n")
        method, path, _ = line.split(" ", 2)
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        host = headers.pop("host", self._origin.host_header)
        connection = self._connection
        connection.initiate_connection()
        connection.update_settings({SettingCodes.ENABLE_PUSH: 0, SettingCodes.INITIAL_WINDOW_SIZE: WINDOW})
        connection.increment_flow_control_window(WINDOW - FIRST_WINDOW)
        self._stream = connection.get_next_available_stream_id()
        pseudo = [(":method", method), (":scheme", self._origin.scheme), (":authority", host), (":path", path)]
        connection.send_headers(self._stream, [*pseudo, *headers.items()])
        # a subscription's request fits into every initial window of a server
        connection.send_data(self._stream, body, end_stream=True)
        return connection.data_to_send()

    def feed(self, data: bytes) -> bytes:
        """Feed received bytes. Returns the bytes to write in reply."""
        try:
            for event in self._connection.receive_data(data):
                self._note(event)
        except H2Error as error:
            raise AnswerLost(f"the answer is not HTTP/2: {error}") from error
        return self._connection.data_to_send()

    def _note(self, event: Event) -> None:
        match event:
            case ResponseReceived(headers=headers):
                raw = dict(headers or ())
                self.status = int(raw.pop(b":status"))
                self.headers = Headers(raw)
            case DataReceived():
                self._body.append(event)
            case StreamEnded():
                self.complete = True
            case StreamReset(error_code=code):
                raise AnswerLost(f"the server ended the answer (HTTP/2 error {code})")
            case ConnectionTerminated(error_code=code) if code:
                raise AnswerLost(f"the server ended the connection (HTTP/2 error {code})")
            case _:
                pass

    def take(self) -> tuple[bytes, bytes]:
        """Take the received body. Returns it with the bytes to write, which widen the window."""
        taken = b"".join([event.data or b"" for event in self._body])
        if self._body and not self.complete:
            length = sum(event.flow_controlled_length or 0 for event in self._body)
            self._connection.acknowledge_received_data(length, self._stream)
        self._body.clear()
        return taken, self._connection.data_to_send()
