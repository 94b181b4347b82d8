"""The compiled package: how its wheel is built, what its modules may hold, and the suite run against it."""
