"""Random events and patterns over few names and values, so that they meet."""

from hypothesis import strategies as st

NAMES = st.sampled_from(["a", "b", "c", "a-b"])
TEXTS = st.sampled_from(["x", "y", "xy", "X", "", "ß", "10.0.0.1", "::1"])
NUMBERS = st.sampled_from([0, 1, 5, -2, 0.1, 100, 12345678901234567890])
SCALARS = st.one_of(TEXTS, NUMBERS, st.booleans(), st.none())


def objects(inner, **sizes):
    return st.dictionaries(NAMES, inner, **sizes)


EVENTS = objects(
    st.recursive(
        SCALARS, lambda inner: st.one_of(objects(inner, max_size=3), st.lists(inner, max_size=3)), max_leaves=8
    )
)

OPERATORS = st.one_of(
    st.sampled_from([{"exists": True}, {"exists": False}, {"cidr": "10.0.0.0/29"}, {"numeric": [">", -1, "<=", 5]}]),
    st.builds(lambda name, text: {name: text}, st.sampled_from(["prefix", "suffix", "equals-ignore-case"]), TEXTS),
    st.builds(lambda name, text: {name: {"equals-ignore-case": text}}, st.sampled_from(["prefix", "suffix"]), TEXTS),
    st.builds(lambda text: {"wildcard": text}, st.sampled_from(["*", "x*", "*y", "x*y", "*x*", ""])),
    st.builds(lambda texts: {"anything-but": texts}, st.one_of(TEXTS, st.lists(TEXTS, min_size=1, max_size=3))),
    st.builds(lambda number: {"anything-but": number}, st.sampled_from([0, 5, 0.1])),
    st.builds(lambda name: {"anything-but": {name: ["x", "xy"]}}, st.sampled_from(["prefix", "suffix", "wildcard"])),
    st.builds(lambda sign, number: {"numeric": [sign, number]}, st.sampled_from(["=", "<", ">="]), st.just(5)),
)
LEAVES = st.lists(st.one_of(SCALARS, OPERATORS), min_size=1, max_size=3)


def with_or(inner):
    plain = objects(inner, min_size=1, max_size=3)
    branches = st.lists(plain, min_size=2, max_size=3)
    return st.one_of(plain, plain, st.builds(lambda fields, several: {**fields, "$or": several}, plain, branches))


PATTERNS = with_or(st.recursive(LEAVES, with_or, max_leaves=6))
