"""The account of bytes in flight: reservations, turns, and the two that may pass a bound."""

import random
from typing import Any

import pytest

from poller.runtime.memory import Memory
from poller.values.errors import NoRoom


class Reader:
    """Has one reservation; `granted` counts the calls."""

    def __init__(self, memory, size=10, *, patient=False, urgent=False):
        self.memory = memory
        self.granted = 0
        self.size = size
        self.urgent = urgent
        self.room = memory.reservation(patient=patient)

    def ask(self):
        return self.room.ask(lambda: self.size, self._called, urgent=self.urgent)

    def _called(self):
        self.granted += 1

    def grow(self, size):
        return self.room.grow(size, self._called)


def readers(count, memory, **settings):
    return [Reader(memory, **settings) for _ in range(count)]


def test_what_is_reserved_counts_in_the_mapping_and_in_the_process_until_it_is_let_go():
    whole = Memory(100)
    mapping, other = Memory(60, whole), Memory(60, whole)
    reader = Reader(mapping, 50)
    assert reader.ask()
    assert (whole.held, mapping.held, other.held) == (50, 50, 0)
    reader.room.became(30)
    assert (whole.held, mapping.held) == (30, 30)
    mapping.release(30)
    assert (whole.held, mapping.held) == (0, 0)


def test_readers_without_room_are_served_first_come_first_served():
    memory = Memory(30)
    everyone = readers(6, memory)
    assert [reader.ask() for reader in everyone] == [True] * 3 + [False] * 3
    assert memory.waiting == 3
    everyone[3].size = 30
    everyone[0].room.close()
    assert [reader.granted for reader in everyone] == [0] * 6, "a small one does not overtake a large one for ever"
    everyone[1].room.close()
    everyone[2].room.close()
    assert [reader.granted for reader in everyone] == [0, 0, 0, 1, 0, 0]
    everyone[3].room.became(10)
    assert [reader.granted for reader in everyone] == [0, 0, 0, 1, 1, 1]
    assert memory.held == 30
    assert memory.waiting == 0


def test_mappings_take_turns_and_one_at_its_own_bound_holds_nobody_else_up():
    whole = Memory(60)
    many, few, full = Memory(60, whole), Memory(60, whole), Memory(10, whole)
    first, crowd, single = Reader(many, 50), readers(5, many), Reader(few)
    holds, wants_more = Reader(full), Reader(full)
    assert first.ask()
    assert holds.ask()
    assert not wants_more.ask()
    assert not any(reader.ask() for reader in crowd)
    assert not single.ask()
    first.room.became(40)
    assert (sum(reader.granted for reader in crowd), single.granted) == (1, 0)
    many.release(10)
    assert (sum(reader.granted for reader in crowd), single.granted) == (1, 1)
    assert wants_more.granted == 0
    holds.room.close()
    assert wants_more.granted == 1


def test_a_page_larger_than_the_bound_is_read_once_nothing_else_is_in_flight():
    whole = Memory(100)
    memory = Memory(20, whole)
    one, large = Reader(memory), Reader(memory, 50)
    assert one.ask()
    assert not large.ask()
    one.room.close()
    assert (large.granted, memory.held) == (1, 20)
    assert large.grow(50)
    assert memory.held == 50


def test_one_urgent_reservation_of_the_process_passes_the_bound_at_a_time():
    whole = Memory(100)
    mapping, other = Memory(50, whole), Memory(50, whole)
    mapping.hold(50)
    other.hold(50)
    one, two, three = Reader(mapping, urgent=True), Reader(mapping, urgent=True), Reader(other, urgent=True)
    assert one.ask()
    assert not two.ask()
    assert not three.ask()
    one.room.became(10)
    assert one.ask(), "it may need more than one page to go on"
    one.room.became(10)
    assert whole.held == 120
    mapping.release(10)
    assert (two.granted, three.granted) == (0, 0), "still above the bound"
    mapping.release(10)
    assert (two.granted, three.granted) == (1, 0)
    assert whole.held == 110
    other.release(20)
    assert three.granted == 1


def test_an_answer_larger_than_reserved_takes_what_is_free_or_is_given_up():
    memory = Memory(50)
    one, two = Reader(memory), Reader(memory)
    assert one.ask()
    assert two.ask()
    assert one.grow(40)
    with pytest.raises(NoRoom) as refused:
        two.grow(11)
    assert refused.value.size == 11
    assert memory.held == 50


def test_an_answer_that_cannot_be_asked_for_twice_waits_and_one_of_them_passes_the_bound():
    memory = Memory(30)
    one, two, three = readers(3, memory, patient=True)
    assert all(reader.ask() for reader in (one, two, three))
    assert one.grow(25)
    assert not two.grow(25)
    assert not three.grow(12)
    assert memory.held == 45
    one.room.became(25)
    memory.release(25)
    assert (two.granted, three.granted, memory.held) == (1, 0, 35)
    two.room.close()
    assert (three.granted, memory.held) == (1, 12)


def test_who_leaves_the_line_gets_nothing_and_another_bound_serves_who_waits():
    memory = Memory(10)
    one, two, three = readers(3, memory)
    assert one.ask()
    assert not two.ask()
    assert not three.ask()
    two.room.close()
    memory.resize(20)
    assert (two.granted, three.granted) == (0, 1)
    assert memory.waiting == 0
    one.room.close()
    three.room.close()
    three.room.close()
    assert memory.held == 0


@pytest.mark.parametrize("seed", range(30))
def test_in_flight_is_never_above_the_bound_by_more_than_one_page_and_everyone_gets_their_turn(seed):
    chance = random.Random(seed)
    whole = Memory(100)
    mappings = [Memory(60, whole), Memory(100, whole), Memory(30, whole)]
    crowd = [
        Reader(chance.choice(mappings), chance.randint(1, 25), patient=chance.random() < 0.3, urgent=seed % 3 == 0)
        for _ in range(30)
    ]
    held: list[Any]
    held, turns = [], dict.fromkeys(crowd, 0)
    for _ in range(3000):
        reader = chance.choice(crowd)
        if held and chance.random() < 0.4:
            memory, size = held.pop(chance.randrange(len(held)))
            memory.release(size)
        elif reader.room.size:
            size = chance.randint(0, 30)
            try:
                if size <= reader.room.size or reader.grow(size):
                    reader.room.became(size)
                    # what it waited for is here
                    reader.urgent = False
                    turns[reader] += 1
                    held.append((reader.memory, size))
            except NoRoom as error:
                reader.room.close()
                reader.size = error.size
        else:
            reader.ask()
        assert whole.held <= 100 + 30
        assert all(mapping.held <= mapping.limit + 30 for mapping in mappings)
    assert all(turns.values())
    for reader in crowd:
        reader.room.close()
    for memory, size in held:
        memory.release(size)
    assert (whole.held, whole.waiting, [mapping.held for mapping in mappings]) == (0, 0, [0, 0, 0])
