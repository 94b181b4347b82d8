"""How fast filters match, and how slow the worst pattern can make them: `python -m tests.benchmarks.filtering`.

First a mapping with five filters on bodies of 1 KB, matching and not. Then the worst cases: for each kind of test the
pattern of 4,096 characters and the event of 256 KiB that hurt it most, parsing included, the best of five runs each
(the machine's noise is not the pattern's fault).
"""

import gc
import json
import platform
import sys
from collections.abc import Callable, Iterator
from functools import partial
from time import process_time
from typing import Any

from poller.policy.filtering import Filter, Verdict, compile_filters
from poller.policy.filtering.compile import MOST_CHARACTERS
from tests.policy.filtering.kinds import SQS_RECORDS

try:
    import orjson
except ImportError:
    loads: Callable[[str | bytes], Any] = json.loads
else:
    loads = orjson.loads

# SQS and Kinesis carry more, but this is the size the bound below is promised for.
EVENT_BYTES = 256 * 1024
PROMISED_SECONDS = 0.050

FIVE: list[dict[str, Any]] = [
    {"body": {"kind": ["order", "refund"], "total": [{"numeric": [">", 100]}]}},
    {"body": {"customer": {"country": ["DE", "FR"], "email": [{"suffix": "@example.com"}]}}},
    {"body": {"items": {"sku": [{"prefix": "gift-"}], "amount": [{"numeric": [">=", 10]}]}}},
    {"body": {"state": [{"anything-but": ["new", "paid"]}], "coupon": [{"exists": True}]}},
    {"body": {"$or": [{"source": [{"wildcard": "*/admin/*"}]}, {"ip": [{"cidr": "10.0.0.0/8"}]}]}},
]


def body(*, matching: bool) -> str:
    document: dict[str, Any] = {
        "kind": "order" if matching else "quote",
        "total": 250 if matching else 20,
        "state": "paid",
        "source": "/shop/cart",
        "ip": "192.0.2.7",
        "customer": {"id": 17, "country": "DE", "email": "someone@example.org", "name": "Someone"},
        "items": [{"sku": f"book-{number}", "amount": number, "price": 9.5} for number in range(12)],
    }
    return json.dumps(document | {"note": "x" * (1024 - len(json.dumps(document)) - 12)})


def rate(match: Callable[[], object], seconds: float = 0.5) -> float:
    """Calls per CPU second."""
    done, started = 0, process_time()
    while (spent := process_time() - started) < seconds:
        for _ in range(200):
            match()
        done += 200
    return done / spent


def fill(build: Callable[[int], Any], limit: int, measure: Callable[[Any], int]) -> Any:
    """The largest that `build` makes within the limit."""
    low, high = 1, limit
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if measure(build(middle)) <= limit else (low, middle - 1)
    return build(low)


def pattern(build: Callable[[int], Any]) -> Any:
    return fill(build, MOST_CHARACTERS, lambda made: len(json.dumps({"body": {"x": made}}, separators=(",", ":"))))


def event(build: Callable[[int], Any]) -> str:
    made = fill(build, EVENT_BYTES, lambda made: len(json.dumps(made, separators=(",", ":"))))
    return json.dumps(made, separators=(",", ":"))


def word(number: int, letters: str = "abcdefghijklmnop") -> str:
    text = ""
    while number:
        number, rest = divmod(number, len(letters))
        text += letters[rest]
    return text or letters[0]


def of_a_field(test: Callable[[int], Any], count: int) -> Any:
    return {"a": [test(number) for number in range(count)]}


def tests_of_a_field() -> Iterator[tuple[str, Any, str]]:
    """One field with as many tests as fit, on very many short values and on one very long one."""
    many = event(lambda n: {"a": [word(k) for k in range(n)]})
    long = event(lambda n: {"a": "ab" * n})
    spread = event(lambda n: {"a": "".join(word(k * 7) for k in range(n))})
    kinds: dict[str, Callable[[int], Any]] = {
        "exact": lambda k: word(k) + "_",
        "prefix": lambda k: {"prefix": word(k) + "_" * (k % 9)},
        "prefixes, every length": lambda k: {"prefix": "ab" * (k // 2) + "_"},
        "suffix": lambda k: {"suffix": "_" + word(k)},
        "suffixes, every length": lambda k: {"suffix": "_" + "ab" * (k // 2)},
        "equals-ignore-case": lambda k: {"equals-ignore-case": word(k).upper() + "_"},
        "equals-ignore-case, hits": lambda k: {"equals-ignore-case": word(k + 16).upper()},
        "prefix, ignoring case": lambda k: {"prefix": {"equals-ignore-case": word(k).upper() + "_"}},
        "wildcards": lambda k: {"wildcard": f"*{word(k)}*_"},
        "wildcards, many stars": lambda k: {"wildcard": "*".join(word(k * 31 + 5)) + "*_"},
        "one wildcard, all stars": lambda k: {"wildcard": "*a" * 1900 + "*_"} if k == 0 else "_",
        "nested anything-but": lambda k: {"anything-but": {"wildcard": ["*", f"{word(k)}*"]}},
        "cidr": lambda k: {"cidr": f"10.{k}.0.0/16"},
    }
    for name, test in kinds.items():
        made = pattern(partial(of_a_field, test))
        for what, document in (("43k strings", many), ("one long string", long), ("one varied string", spread)):
            yield f"{name}, {what}", made, document
    numbers = pattern(lambda n: {"a": [{"numeric": [">", k, "<", k + 0.5]} for k in range(n)]})
    yield "numeric ranges, many numbers", numbers, event(lambda n: {"a": [k + 0.75 for k in range(n)]})
    yield "numeric ranges, huge numbers", numbers, event(lambda n: {"a": [2**60 + k for k in range(n)]})
    blocks = pattern(lambda n: {"a": [{"cidr": f"fd{k:02x}::/16"} for k in range(n)]})
    yield "cidr, many addresses", blocks, event(lambda n: {"a": [f"fe80::{k:x}" for k in range(n)]})


def shapes() -> Iterator[tuple[str, Any, str]]:
    """Structure: depth, breadth, arrays of objects, absence, `$or`."""
    deep: dict[str, Any] = {"a": ["_"]}
    for _ in range(660):
        deep = {"a": deep}
    yield "660 levels of pattern, event as deep", deep, '{"a":' * 661 + '"x"' + "}" * 661
    arrays = "[" * 900 + ",".join('{"a":1}' for _ in range(32000)) + "]" * 900
    yield "900 levels of arrays", pattern(lambda n: {"x": {"a": list(range(2, n + 2))}}), '{"x":' + arrays + "}"
    fields = pattern(lambda n: {word(k, "abcdefgh") + "q": [1] for k in range(n)})
    names = list(fields)
    yield "all fields, array of empty objects", {"x": fields}, event(lambda n: {"x": [{}] * n})
    half = pattern(lambda n: {"x": {name: [1] for name in names[:n]}})
    yield "all fields, small objects", half, event(lambda n: {"x": [{names[k % 300]: 1} for k in range(n)]})
    absent = pattern(lambda n: {"x": {name: [{"exists": False}] for name in names[:n]}})
    yield "all absent, small objects", absent, event(lambda n: {"x": [{names[k % 150]: 1} for k in range(n)]})
    either = pattern(lambda n: {"x": {name: [{"exists": False}, 2] for name in names[:n]}})
    yield "all either, small objects", either, event(lambda n: {"x": [{names[k % 130]: 1} for k in range(n)]})
    yield "all either, arrays in arrays", either, event(lambda n: {"x": [[{names[k % 130]: 2}] for k in range(n)]})
    words = [f"f{k}" for k in range(150)]
    branches = pattern(lambda n: {"x": {"$or": [{name: [{"exists": False}, 2]} for name in words[: n + 1]]}})
    pairs = event(lambda n: {"x": [{words[k % 90]: 2, words[k * 7 % 89]: 2} for k in range(n)]})
    yield "$or of either, objects of two", branches, pairs
    grid = {"$or": [{f"r{k}": [1]} for k in range(30)], "x": {"$or": [{f"s{k}": [1]} for k in range(30)]}}
    yield "900 combinations", grid, event(lambda n: {"x": [{f"s{k % 30}": 1, "r1": 1} for k in range(n)], "r7": 1})
    inner = {"x": {"$or": [{f"s{k}": [1], "z": {"$or": [{f"t{k}{m}": [1]} for m in range(6)]}} for k in range(25)]}}
    yield "nested $or", inner, event(lambda n: {"x": [{f"s{k % 25}": 1, "z": [{}]} for k in range(n)]})
    dotted = event(lambda n: {"x": [{"a.b": 1, "a.c": 2} for _ in range(n)]})
    yield "keys with dots", {"x": {"a": {"b": [1], "c": [1]}}}, dotted
    yield "no match, plain filter", {"a": ["_"]}, event(lambda n: {"b": "x" * n})


def slowest(criteria: Filter, document: str) -> float:
    times = []
    for _ in range(5):
        started = process_time()
        criteria.match({}, document)
        times.append(process_time() - started)
    return min(times)


def main() -> int:
    gc.set_threshold(50_000)  # near enough to what the daemon runs with
    say = sys.stdout.write
    say(f"Python {platform.python_version()}, {platform.machine()}, parser {loads.__module__}\n")
    one = [{"body": {"kind": ["none"]}}]
    for name, patterns, matching in (("five filters", FIVE, True), ("five filters", FIVE, False), ("one", one, False)):
        criteria = compile_filters(patterns, SQS_RECORDS, loads=loads)
        document = body(matching=matching)
        assert (criteria.match({}, document) is Verdict.MATCH) == matching
        result = "match" if matching else "no match"
        say(f"{name:13} {len(document)} bytes, {result:9} {rate(partial(criteria.match, {}, document)):>10,.0f} /s\n")
    worst = 0.0
    for name, made, document in (*tests_of_a_field(), *shapes()):
        seconds = slowest(compile_filters([{"body": made}], SQS_RECORDS, loads=loads), document)
        worst = max(worst, seconds)
        say(f"  {name:55} {seconds * 1000:8.1f} ms\n")
    say(f"worst {worst * 1000:.1f} ms of {PROMISED_SECONDS * 1000:.0f} ms\n")
    return int(worst > PROMISED_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
