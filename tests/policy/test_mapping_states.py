"""The states that Lambda's API shows of a mapping, by what was asked for and what is so."""

import pytest

from poller.policy.mapping_states import LONGEST_CHANGE, ApiState, api_state, creation, update

NOW = 100.0


def state(change, enabled, applied=False, rests_at_once=False, later=0.0):
    return api_state(change, NOW + later, enabled=enabled, applied=applied, rests_at_once=rests_at_once).value


@pytest.mark.parametrize("of_a_queue", [True, False])
@pytest.mark.parametrize(
    ("change", "enabled", "meanwhile", "then"),
    [
        (creation(NOW), True, ("Creating", "Creating"), "Enabled"),
        (creation(NOW), False, ("Creating", "Disabled"), "Disabled"),
        (update(False, True, NOW), True, ("Enabling", "Enabling"), "Enabled"),
        (update(True, False, NOW), False, ("Disabling", "Disabling"), "Disabled"),
        (update(True, True, NOW), True, ("Updating", "Updating"), "Enabled"),
        (update(False, False, NOW), False, ("Updating", "Disabled"), "Disabled"),
    ],
)
def test_a_change_shows_until_it_is_applied(change, enabled, meanwhile, then, of_a_queue):
    assert state(change, enabled, rests_at_once=of_a_queue) == meanwhile[of_a_queue]
    assert state(change, enabled, applied=True, rests_at_once=of_a_queue) == then


def test_a_change_shows_no_longer_than_tools_should_wait():
    change = update(True, False, NOW)
    assert state(change, False, later=LONGEST_CHANGE - 0.1) == "Disabling"
    assert state(change, False, later=LONGEST_CHANGE) == "Disabled"


def test_without_a_change_a_mapping_is_what_it_is():
    assert state(None, True) == "Enabled"
    assert state(None, False) == "Disabled"


def test_only_enabled_and_disabled_last():
    assert [one.value for one in ApiState if one.lasts] == ["Enabled", "Disabled"]
