"""The page: HTML made here and sent as it is, kept up to date by server-sent events, with no host but this one."""
