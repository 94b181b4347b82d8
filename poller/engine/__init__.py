"""Runs a catalog of mappings inside an event loop: builds their parts, and starts, changes, pauses and ends them."""
