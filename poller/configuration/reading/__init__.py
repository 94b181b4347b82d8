"""From files, environment and command line to one tree of values, each with its place."""
