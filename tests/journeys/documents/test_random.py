"""Random journeys of a change stream: writes, transactions, restarts, crashes, elections, cuts, failing functions, lanes."""

import asyncio
import random

from tests.journeys.documents.world import DocumentLife, DocumentWorld
from tests.journeys.run import end

TROUBLES = ("none", "none", "elect", "kill_cursors", "cut", "down", "hang")


def write(world, chance, number):
    """One write, or several in a transaction."""
    if number and chance.random() < 0.3:
        world.expect(world.log.update("shop", "orders", chance.randrange(number), n=number))
    elif chance.random() < 0.2:
        with world.log.transaction():
            for each in range(chance.randint(2, 6)):
                world.expect(world.log.insert("shop", "orders", {"_id": f"{number}-{each}"}))
    if chance.random() < 0.2:
        world.log.insert("shop", "others", {"_id": number})
    world.put(number)


async def trouble(world, life, chance):
    kind = chance.choice(TROUBLES)
    if kind == "cut":
        world.mongo.cuts = chance.randint(1, 3)
    elif kind == "down":
        life.server.down = True
        world.mongo.kill_cursors()
    elif kind == "hang":
        world.mongo.hangs = True
    elif kind != "none":
        getattr(world.mongo, kind)()
    await asyncio.sleep(chance.choice((0.1, 3, 40)))
    life.server.down = world.mongo.hangs = False
    world.mongo.elected()


async def test_nothing_is_lost_and_each_document_s_changes_stay_in_order(special_seed):
    chance = random.Random(special_seed)
    world = DocumentWorld(labels=chance.random() < 0.5, tokens_when_idle=chance.random() < 0.7)
    world.function.delay = chance.choice((0, 0.2))
    number = 0
    for _ in range(chance.randint(2, 4)):
        mapping = world.mapping(batch_size=chance.choice((1, 3, 10)), parallelization_factor=chance.choice((1, 1, 3)))
        life = DocumentLife(world, mapping)
        for _ in range(chance.randint(1, 5)):
            for _ in range(chance.randint(0, 12)):
                write(world, chance, number)
                number += 1
            world.fails = chance.choice((0, 0, 3))
            await trouble(world, life, chance)
        await end(life, chance.choice(("soft", "hard", "crash")))
        await asyncio.sleep(chance.choice((1, 500)))
    world.fails = 0
    life = DocumentLife(world, world.mapping(batch_size=10))
    await world.until_done()
    await life.end()
    world.check()
