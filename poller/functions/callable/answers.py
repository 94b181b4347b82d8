"""Turns a handler's result or error into an outcome, worded as Lambda's runtime for Python words it."""

import asyncio
import decimal
import json
import math
import traceback
from pathlib import Path
from types import TracebackType
from typing import Any

from poller.functions import function_errors
from poller.policy.response import Outcome, Succeeded

_OURS = str(Path(__file__).parent.parent.parent)
"""Frames of this package are cut from the beginning of a stack trace, because they are not the user's."""


def _number(value: object) -> object:
    """Decimals are numbers, as Lambda's runtime writes them."""
    if not isinstance(value, decimal.Decimal):
        raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")
    return math.nan if value.is_nan() else int(value) if value == value.to_integral_value() else float(value)


_encoder = json.JSONEncoder(ensure_ascii=False, default=_number)


def outcome_of_result(request_id: str, result: Any) -> Outcome:
    """Bytes are taken as they are, as by Lambda's runtime. Everything else must be JSON."""
    if isinstance(result, bytes):
        body = result
    else:
        try:
            # lone surrogates become their JSON escapes
            body = _encoder.encode(result).encode("utf-8", "backslashreplace")
        except (TypeError, ValueError, RecursionError, ArithmeticError) as error:
            return function_errors.failed(request_id, "Runtime.MarshalError", f"Unable to marshal response: {error}")
    if len(body) > function_errors.RESPONSE_LIMIT:
        return function_errors.too_large(request_id)
    return Succeeded(body, request_id, function_errors.VERSION)


def outcome_of_error(request_id: str, error: BaseException) -> Outcome:
    """The type and message of an error. The stack trace is in the function's log, as on Lambda."""
    if isinstance(error, SystemExit):
        return function_errors.exited(request_id, "Runtime exited without providing a reason")
    error_type, message = type(error).__name__, _text(error)
    stack = traceback.format_list(_user_frames(error.__traceback__))
    head = f"[ERROR] {error_type}: {message}" if message else f"[ERROR] {error_type}"
    logs = f"{head}\nTraceback (most recent call last):\n{''.join(stack)}"
    return function_errors.failed(request_id, error_type, message, logs=logs)


def cancelled(request_id: str) -> Outcome:
    """The outcome when the handler cancelled itself: neither a deadline nor a stop did."""
    return function_errors.failed(request_id, asyncio.CancelledError.__name__, "the handler cancelled its own task")


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except (TypeError, ValueError, AttributeError, LookupError, RecursionError):
        # an error class of the user may fail to print itself
        return ""


def _user_frames(tb: TracebackType | None) -> list[traceback.FrameSummary]:
    frames = list(traceback.extract_tb(tb))
    while frames and frames[0].filename.startswith(_OURS):
        frames.pop(0)
    return frames
