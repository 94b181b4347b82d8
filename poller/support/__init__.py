"""What any package may use: the codec, the log, throttles. Nothing here knows event source mappings."""
