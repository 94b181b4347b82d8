"""Which workers are asked what, and how their answers become one."""

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from typing import Any

from poller.policy.failures_merged import merged as failures_merged
from poller.workers import merging
from poller.workers.answers import Answer, Request, as_json, refusal
from poller.workers.child import Child
from poller.workers.departed import Departed
from poller.workers.exposition import merged_metrics
from poller.workers.routing import Merged, merged
from poller.workers.supervised import Supervised

Ask = Callable[[Child, Request], Answer | None]
Way = Callable[[Request], Answer]
Answers = list[tuple[Child, Answer]]
Json = dict[str, Any]


class Routes:
    """Answers requests, several at a time."""

    def __init__(self, parent: Supervised, ask: Ask) -> None:
        self._parent = parent
        self._ask_one = ask
        self._departed = Departed()
        self._merging = threading.Lock()
        self._had: dict[int, list[Json]] = {}
        """By the number of each worker the mappings that it alone had when it last answered, as they are without it."""
        self._ways: dict[Merged, Way] = {
            Merged.HEALTHZ: self._healthz,
            Merged.READYZ: self._readyz,
            Merged.METRICS: partial(self._together, self._metrics),
            Merged.STATUS: partial(self._together, self._status),
            Merged.MAPPING: partial(self._together, self._mapping),
            Merged.FAILURES: self._failures,
            Merged.PARTS: partial(self._together, self._parts),
            Merged.RELOAD: self._reload,
            Merged.BY_ONE: self._ordered,
            Merged.BY_ALL: self._all,
        }

    def answer(self, request: Request) -> Answer:
        """The answer of all workers to a request that is `merged`."""
        how = merged(request)
        return refusal(HTTPStatus.NOT_FOUND, "Not Found") if how is None else self._ways[how](request)

    def _children(self) -> list[Child]:
        return [child for child in self._parent.children if child.serving]

    def _ask(self, request: Request) -> Answers:
        found = [(child, self._ask_one(child, request)) for child in self._children()]
        return [(child, answer) for child, answer in found if answer is not None]

    def _together(self, both: Callable[[Answers], Answer], request: Request) -> Answer:
        """Ask all workers, and merge. One answer is merged at a time: what is read of it takes many times its size."""
        answers = self._ask(replace(request, headers=_plain(request.headers)))
        with self._merging:
            return both(answers)

    # looking

    def _healthz(self, request: Request) -> Answer:
        """Healthy is a worker that answers so; one that is started again is being seen to."""
        children = self._children()
        answers = self._ask(request)
        starting = not self._parent.was_ready
        well = [answer for _, answer in answers if answer.status == HTTPStatus.OK]
        if len(well) == len(children) and (children or starting):
            return as_json({"status": "healthy"})
        return as_json({"status": "unhealthy"}, HTTPStatus.SERVICE_UNAVAILABLE)

    def _readyz(self, _request: Request) -> Answer:
        ready = self._parent.was_ready
        status = HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
        return as_json({"status": "ready" if ready else "starting"}, status)

    def _failures(self, request: Request) -> Answer:
        """Of all workers; one of them also asks the other members of a fleet."""
        request = replace(request, headers=_plain(request.headers))
        alone = replace(request, target=f"{request.path}?alone")
        found = [
            (child, self._ask_one(child, alone if number else request)) for number, child in enumerate(self._children())
        ]
        answers = [(child, answer) for child, answer in found if answer is not None]
        good = [answer.document() for _, answer in answers if answer.status == HTTPStatus.OK]
        with self._merging:
            return as_json(failures_merged(good)) if good else _refused(answers)

    def _status(self, answers: Answers) -> Answer:
        good = {child: answer.document() for child, answer in answers if answer.status == HTTPStatus.OK}
        if not good:
            return _refused(answers)
        known = self._departed.note_status({child.name: found for child, found in good.items()})
        whole = merging.status([*known.values()] or [*good.values()])
        self._add_waiting(whole, {child.number: one for child, one in good.items()})
        self._departed.add_to_status(whole, self._living(), known)
        answered = {child.number for child, _ in answers}
        silent = [child.number for child in self._children() if child.number not in answered]
        whole["unhealthy"] += [f"worker {number} does not answer" for number in silent]
        whole["workers"] = [_worker(child) for child in self._parent.children]
        return as_json(whole)

    def _add_waiting(self, whole: Json, answered: Mapping[int, Json]) -> None:
        """Add the mappings of which no worker knows while the one is started again that runs them."""
        present = Counter(one["uuid"] for document in answered.values() for one in document["mappings"])
        for number, document in answered.items():
            own = [one for one in document["mappings"] if present[one["uuid"]] == 1]
            self._had[number] = [merging.without_worker(one) for one in own]
        for number, had in self._had.items():
            if number not in answered:
                whole["mappings"] += [{**one} for one in had if one["uuid"] not in present]

    def _parts(self, answers: Answers) -> Answer:
        good = {child.name: answer.document() for child, answer in answers if answer.status == HTTPStatus.OK}
        if not good:
            return _refused(answers)
        whole = {"mappings": merging.mappings([*good.values()])}
        self._departed.add_to_status(whole, self._living(), good)
        return as_json(whole)

    def _living(self) -> set[str]:
        return {child.name for child in self._parent.children if child.runs}

    def _mapping(self, answers: Answers) -> Answer:
        good = [answer.document() for _, answer in answers if answer.status == HTTPStatus.OK]
        return as_json(merging.mapping(good)) if good else _refused(answers)

    def _metrics(self, answers: Answers) -> Answer:
        good = {child.name: answer for child, answer in answers if answer.status == HTTPStatus.OK}
        if not good:
            return _refused(answers)
        texts = {name: answer.body.decode() for name, answer in good.items()}
        starts = {str(child.number): child.starts for child in self._parent.children}
        body = merged_metrics(self._departed.with_departed(texts, self._living()), len(good), starts)
        return Answer(HTTPStatus.OK, next(iter(good.values())).headers, body.encode())

    # steering

    def _first(self, request: Request, children: list[Child]) -> Answer:
        """The answer of the first worker that knows the mapping."""
        unknown: Answer | None = None
        for child in children:
            answer = self._ask_one(child, request)
            if answer is not None and answer.status != HTTPStatus.NOT_FOUND:
                return answer
            unknown = answer or unknown
        return unknown or _refused([])

    def _ordered(self, request: Request) -> Answer:
        """Orders about mappings: one worker gets them, and tells or asks the others through the store."""
        return self._first(request, self._children())

    def _all(self, request: Request) -> Answer:
        """Done by every worker that has something to do."""
        answers = self._ask(request)
        good = [answer.document() for _, answer in answers if answer.status == HTTPStatus.OK]
        return as_json(good[0]) if good else _refused(answers)

    def _reload(self, request: Request) -> Answer:
        answers = self._ask(request)
        bad = [(child, answer) for child, answer in answers if answer.status != HTTPStatus.OK]
        return _refused(bad) if bad or not answers else as_json(merging.reloads([one.document() for _, one in answers]))


def _plain(headers: Mapping[str, str]) -> dict[str, str]:
    """In the one form of metrics that can be merged, and JSON."""
    return {name: value for name, value in headers.items() if name.lower() != "accept"}


def _refused(answers: Answers) -> Answer:
    """What a client is told where no worker did it: the answer that says most."""
    ranked = sorted((answer for _, answer in answers), key=lambda answer: answer.status == HTTPStatus.NOT_FOUND)
    return ranked[0] if ranked else refusal(HTTPStatus.SERVICE_UNAVAILABLE, "no worker answers; try again soon")


def _worker(child: Child) -> dict[str, object]:
    process = child.process
    return {
        "number": child.number,
        "pid": None if process is None else process.pid,
        "state": "ready" if child.ready else "starting" if child.runs else "waiting",
        "starts": child.starts,
        "text": child.text,
    }
