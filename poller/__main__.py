"""The process's first lines: signals are heard before anything heavy is imported."""

from typing import NoReturn

from poller.daemon import signals


def main() -> NoReturn:
    """Run the command line."""
    signals.begin()
    from poller.cli.main import main as command  # noqa: PLC0415
    from poller.daemon.process_stop import leave  # noqa: PLC0415

    try:
        command()
    except SystemExit as ended:
        leave(ended.code if isinstance(ended.code, int) else int(ended.code is not None))


if __name__ == "__main__":
    main()
