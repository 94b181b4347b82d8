"""A pytest plugin for the tests of functions that event source mappings call. See `poller.testing.plugin`."""
