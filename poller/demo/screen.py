"""Shows the demo: a live view on a terminal, progress lines elsewhere."""

from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.live import Live

from poller.demo import view
from poller.demo.picture import History, Picture

LINE_SECONDS = 2.0
"""Seconds between two progress lines."""


class Screen(Protocol):
    """Shows one picture after another."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None, /
    ) -> None: ...

    def show(self, picture: Picture) -> None:
        """Show the latest picture."""
        ...


def screen(console: Console, seconds: float) -> Screen:
    """Choose by the kind of output; `seconds` is how long orders are produced."""
    if console.is_terminal and not console.is_dumb_terminal:
        return _LiveView(console, seconds)
    return _Lines(console)


class _LiveView:
    def __init__(self, console: Console, seconds: float) -> None:
        self._live = Live(console=console, auto_refresh=False)
        self._seconds = seconds
        self._history = History()

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._live.stop()

    def show(self, picture: Picture) -> None:
        self._history.add(picture)
        self._live.update(view.draw(picture, self._history, self._seconds), refresh=True)


class _Lines:
    def __init__(self, console: Console) -> None:
        self._console = console
        self._shown = -LINE_SECONDS

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        pass

    def show(self, picture: Picture) -> None:
        if picture.elapsed - self._shown >= LINE_SECONDS:
            self._shown = picture.elapsed
            self._console.print(view.plain(picture))
