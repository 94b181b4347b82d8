"""What may be configured, and the resolved values the rest of the program receives."""
