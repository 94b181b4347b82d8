"""Each worker of the tests begins with what takes long, and each server is one worker's."""

from types import SimpleNamespace

import pytest

from tests.dealing import deal, server_of


def item(number, *keywords, fixtures=(), **params):
    case = {"callspec": SimpleNamespace(params=params)} if params else {}
    return SimpleNamespace(number=number, keywords=set(keywords), fixturenames=fixtures, **case)


def suite():
    """Every fifth test waits for a server, every ninth for something else."""
    for number in range(300):
        if number % 5 == 0:
            name = ("moto", "postgresql", "ministack_url", "ministack_kinesis", "dynamodb")[number % 3]
            yield item(number, "real_time", fixtures=[name]) if number % 2 else item(number, "live", case=name)
        else:
            yield item(number, *(["live"] if number % 9 == 0 else []))


@pytest.mark.parametrize("workers", [2, 3, 4, 16, 400])
def test_every_test_is_dealt_once(workers):
    dealt = deal(list(suite()), workers)
    assert sorted(each.number for each in dealt) == list(range(300))


@pytest.mark.parametrize("workers", [2, 4])
def test_a_share_begins_with_the_tests_of_its_servers_and_nobody_else_has_them(workers):
    dealt = deal(list(suite()), workers)
    shares = [dealt[300 * number // workers : 300 * (number + 1) // workers] for number in range(workers)]
    for server in ("moto", "postgresql", "ministack"):
        assert sum(any(server_of(each) == server for each in share) for share in shares) == 1
    for share in shares:
        waiting = [bool(server_of(each)) or "live" in each.keywords for each in share]
        assert waiting == sorted(waiting, reverse=True)
        assert any(waiting)


def test_a_test_on_virtual_time_wants_no_server_whatever_its_case_is_called():
    assert server_of(item(1, case="dynamodb")) == ""
    assert server_of(item(1, "real_time", case="dynamodb")) == "ministack"
