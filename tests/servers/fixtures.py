"""Session fixtures of the local AWS servers."""
