"""Tools for any package: the codec, the log, throttles. Nothing here knows event source mappings."""
