"""Plain values without I/O: records, errors, ARNs, the account."""
