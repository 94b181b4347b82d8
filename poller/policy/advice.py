"""Advice for each cause that stops a mapping: the only such table, for the log, status, `why` and `check`.

A cause is finer than the reason's code: either the source or the function may be `throttled`, and each needs different
advice. So the code that knows the cause gives it to the reason, and whoever shows the reason chooses the words: log and
status behind `TO_DO` at the end of the text, the page those of its buttons.
"""

from collections.abc import Sequence

TO_DO = "; to do: "

_FUNCTION_LOG = "look at the function's own log"
ADVICE = {
    # calls to AWS: of a source, a destination, a permission
    "call.credentials": "provide valid AWS credentials: a profile, a role, or another provider of the SDK's chain",
    "call.access_denied": "allow the action; `poller iam-policy` prints the policy for this configuration",
    "call.source_missing": "check the ARN, the region, the account and the endpoint_url, and that the resource exists",
    "call.throttled": "have the quota of this API raised, or reduce the calls: fewer mappings, a longer poll interval",
    "call.unreachable": "check the network, the name, the region and the endpoint_url",
    "call.lost": "find what breaks the connection before the answer: a proxy, a NAT gateway, the endpoint itself",
    "call.failed": "wait: the service itself fails, and calls are retried; if that lasts, look at its health",
    "call.error": "read the service's message: the request does not fit the resource, or the endpoint does not know it",
    # calls to a source that knows its own users
    "source.credentials": "check user, password and authSource; they are read again at the next try",
    "source.access_denied": "grant the database's user the role `read` on what is watched",
    "source.error": "read the server's message, and check the connection string and the files and secrets it names",
    # the function was not invoked
    "function.throttled": "raise the function's limit (on Lambda its reserved concurrency or the account's quota), or "
    "invoke it less: concurrency, max_requests_per_second, scaling_config",
    "function.unavailable": "check that the function's service is up and ready; held batches are retried",
    "function.function_missing": "check that the function, version or alias exists in this region and account",
    "function.access_denied": "allow the invocation; `poller iam-policy` prints the policy for this configuration",
    "function.credentials": "provide valid AWS credentials; they are read again at the next try",
    "function.unreachable": "check the function's URL or region, the network, and that a server listens there",
    "function.configuration": "correct the file or secret that the text names; it belongs to the function's settings",
    # the function was invoked, and failed
    "failed.refused": "provide the secret or credentials that the target accepts; they are read again after a refusal",
    "failed.no_such_path": "check the path of the function's URL",
    "failed.redirect": "configure the URL that the redirect names; redirects are not followed",
    "failed.answer_lost": f"{_FUNCTION_LOG}, and check whether a proxy or load balancer closes connections too soon",
    "failed": _FUNCTION_LOG,
    # by the reason's code
    "retry": "a shard waits for its oldest failing batch; to free it, skip the batch (`poller skip`), or reload with a "
    "lower maximum_retry_attempts or maximum_record_age_in_seconds, or with bisect_batch_on_function_error",
    "queue.redriven": "look at the function's own log; the message comes again by itself, and `poller redrive` "
    "delivers once more what is in the dead-letter queue",
    "queue.repeated": "look at the function's own log; give the queue a redrive policy with a dead-letter queue, so "
    "that a message that always fails does not repeat until it expires",
    "function_not_started": "look at the function_log lines before worker_not_started in the log; the start is "
    "retried, and at once after `poller restart-function`",
    "destination": "check that the on-failure destination exists and accepts; until then nothing is discarded",
    "waiting_for_slot": "raise the function's concurrency, if it can handle more invocations at once",
    "memory": "raise max_bytes_in_flight, or make the function faster",
    "read_ahead": "one lane is much slower than the others: look at its batch",
    "state": "check that the state file's disk has free space and is writable",
    "stream_recreated": "set on_stream_recreated, or delete the position with `poller state forget`",
    "stream_changed": "set on_stream_recreated, or delete the position with `poller state forget`",
    "unreadable_record": "ask the operator of the service why a record has no sequence number; the shard continues "
    "once the record has one, or has expired",
    "position_left": "adopt the position by its uuid, or delete it with `poller state forget`",
    "history_lost": "set on_history_lost, or delete the position with `poller state forget`",
    "invalidated": "delete the position with `poller state forget`, once there is a collection of this name to read",
    "stream_disabled": "enable the stream again if more records should arrive",
    "paused": "run `poller resume` to continue",
    "error": "this is a bug in poller; please report it with the log lines of partition_failed",
}

BY_BUTTON = {
    "retry": "a shard waits for its oldest failing batch, which is below: look at its records; then correct the "
    "function and retry, or free the shard: isolate a key, or skip the batch",
    "queue.redriven": "see Failures; the message comes again by itself, and Redrive dead letters delivers once more "
    "what is in the dead-letter queue",
    "paused": "press Resume",
    "failed": "see Failures, and the function's own log",
}
"""Instead of the advice for a command, where a person sees the page with its buttons."""

_FAILED = {
    "http_401": "failed.refused",
    "http_403": "failed.refused",
    "http_407": "failed.refused",
    "http_404": "failed.no_such_path",
    "http_405": "failed.no_such_path",
    "http_410": "failed.no_such_path",
    "http_301": "failed.redirect",
    "http_302": "failed.redirect",
    "http_303": "failed.redirect",
    "http_307": "failed.redirect",
    "http_308": "failed.redirect",
    "answer_lost": "failed.answer_lost",
}


def advice_of(causes: Sequence[str], *, by_button: bool = False) -> str:
    """What a person can do about these causes: by commands, or with the buttons of the page. Empty where nothing of
    them is known.
    """
    words = ADVICE | BY_BUTTON if by_button else ADVICE
    return "; ".join(words[cause] for cause in causes if cause in words)


def with_advice(text: str, *causes: str) -> str:
    """Append the advice for these causes to the text; unknown causes add nothing."""
    advice = advice_of(causes)
    return f"{text}{TO_DO}{advice}" if advice else text


def cause_of_failure(failure: str) -> str:
    """The key of the advice for a failed invocation, given its text: `http_401: no such user`."""
    return _FAILED.get(failure.partition(":")[0], "failed")
