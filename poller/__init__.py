"""AWS Lambda's event source mapping, outside Lambda: poll, batch, invoke synchronously, settle by the answer."""

__version__ = "0.1.0"
