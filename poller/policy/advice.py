"""What a person can do about each cause of standing still: the one table, for log, status, `why` and `check`.

A cause is finer than the reason's code: `throttled` is the source's doing or the function's, and what helps one does
nothing for the other. So the advice is attached where the cause is known, behind `TO_DO` at the end of the text.
"""

TO_DO = "; to do: "

_FUNCTION_LOG = "look at the function's own log"
ADVICE = {
    # calls to AWS: of a source, a destination, a permission
    "call.credentials": "give valid AWS credentials: a profile, a role, or what the SDK's chain finds",
    "call.access_denied": "allow the action; `poller iam-policy` prints all that this configuration needs",
    "call.source_missing": "check the ARN, the region, the account and the endpoint_url, and that the resource exists",
    "call.throttled": "have the quota of this API raised, or call it less: fewer mappings, a longer poll interval",
    "call.unreachable": "check the network, the name, the region and the endpoint_url",
    "call.lost": "see what breaks the connection before the answer: a proxy, a NAT gateway, the endpoint itself",
    "call.failed": "wait: the service fails by itself, and is tried until it does not; if that lasts, see its health",
    "call.error": "see what the service says: the request does not fit the resource, or the endpoint does not know it",
    # the function was not invoked
    "function.throttled": "let the function take more (on Lambda its reserved concurrency or the account's quota), or "
    "ask less of it: concurrency, max_requests_per_second, scaling_config",
    "function.unavailable": "see that the function's service is up and ready; what is held is tried again",
    "function.function_missing": "see that the function, version or alias exists in this region and account",
    "function.access_denied": "allow the invocation; `poller iam-policy` prints all that this configuration needs",
    "function.credentials": "give valid AWS credentials; they are read again at the next try",
    "function.unreachable": "check the function's URL or region, the network, and that somebody listens there",
    "function.configuration": "correct what the text names: a file or secret of the function's settings",
    # it was, and failed
    "failed.refused": "give the secret or the credentials that the target accepts; they are read again after a refusal",
    "failed.no_such_path": "see that the path of the function's URL is right",
    "failed.redirect": "write the URL that the redirect names; redirects are not followed",
    "failed.answer_lost": f"{_FUNCTION_LOG}, and see whether a proxy or load balancer ends connections sooner than it",
    "failed": _FUNCTION_LOG,
    # by the reason's code
    "retry": "a shard waits for its oldest failing batch; maximum_retry_attempts, maximum_record_age_in_seconds or "
    "bisect_batch_on_function_error can free it at a reload",
    "function_not_started": "look at the function_log lines before worker_not_started in the log; it is tried again by "
    "itself, and at once after `poller restart-function`",
    "destination": "see that the on-failure destination exists and accepts; nothing is given up before it has",
    "waiting_for_slot": "raise the function's concurrency, if it can take more at once",
    "memory": "raise max_bytes_in_flight, or make the function faster",
    "read_ahead": "one lane is much slower than the others: look at the batch it is in",
    "state": "see that the state file's disk has room and can be written",
    "stream_recreated": "choose on_stream_recreated, or give the position up by `poller state forget`",
    "stream_changed": "choose on_stream_recreated, or give the position up by `poller state forget`",
    "unreadable_record": "ask the operator of the service why a record has no sequence number; the shard is read on "
    "once it has one, or has expired",
    "position_left": "adopt the position by its uuid, or give it up by `poller state forget`",
    "stream_disabled": "enable the stream again if records are still to come",
    "paused": "`poller resume` lets it go on",
    "error": "an error of ours; please report it with the log lines of partition_failed",
}

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


def with_advice(text: str, *causes: str) -> str:
    """The text, and what can be done about it, as far as anything is known."""
    advice = "; ".join(ADVICE[cause] for cause in causes if cause in ADVICE)
    return f"{text}{TO_DO}{advice}" if advice else text


def cause_of_failure(failure: str) -> str:
    """Of a failed invocation, as it is told: `http_401: no such user`."""
    return _FAILED.get(failure.partition(":")[0], "failed")
