"""What several processes say of their failures, as one answer."""

from typing import Any

from poller.policy.failures_merged import merged


def failure(at: str, records: int) -> Any:
    return {"at": at, "records": records, "text": "t"}


def of(count: int, at: str, *, template: str = "x", member: str = "a", **more: Any) -> Any:
    group = {"error": "E", "template": template, "count": count, "records": count, "number": 1, "members": [member]}
    group |= {"first": failure(at, 2), "last": failure(at, 2), "smallest": failure(at, count)}
    kept = [{"id": "same", "at": "2026-01-01"}, {"id": at, "at": at}]
    mapping = {"name": member, "uuid": "1", "forgotten": 1, "groups": [group], "kept": kept}
    return {"mappings": [mapping], "more": [], "silent": [], "asking": False, **more}


def test_failures_of_one_cause_are_one_group_with_all_members_on_which_it_was_seen():
    whole = merged([of(2, "2026-01-02"), of(3, "2026-01-01", member="b"), of(1, "2026-01-02", member="b")])
    (found,) = whole["mappings"]
    (group,) = found["groups"]
    assert (group["count"], group["records"], group["members"]) == (6, 6, ["a", "b"])
    assert (group["first"]["at"], group["last"]["at"]) == ("2026-01-01", "2026-01-02")
    assert (group["smallest"]["records"], found["forgotten"], found["name"]) == (1, 3, "a")
    assert [event["id"] for event in found["kept"]] == ["2026-01-02", "same", "2026-01-01"]


def test_causes_and_mappings_that_differ_stay_apart_the_latest_cause_first():
    other = of(1, "2026-01-03", template="y")
    other["mappings"].append({**other["mappings"][0], "uuid": "2"})
    one, two = merged([of(2, "2026-01-01"), other])["mappings"]
    assert [group["template"] for group in one["groups"]] == ["y", "x"]
    assert [group["template"] for group in two["groups"]] == ["y"]


def test_a_cause_is_known_by_what_members_say_of_it_to_each_other():
    here, there = of(1, "2026-01-01", template="an\nerror \0 in #"), of(1, "2026-01-02", template="an error ? in #")
    (found,) = merged([here, there])["mappings"]
    (group,) = found["groups"]
    assert group["template"] == "an\nerror \0 in #"


def test_what_is_missing_is_what_any_of_them_misses():
    more = [{"member": "b", "causes": 3}]
    whole = merged([of(1, "1", silent=["c"], more=more), of(1, "2", silent=["c", "d"], asking=True)])
    assert (whole["silent"], whole["more"], whole["asking"]) == (["c", "d"], more, True)
    assert merged([]) == {"mappings": [], "more": [], "silent": [], "asking": False}
