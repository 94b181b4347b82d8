"""Tools for people who write functions: a project to begin with, samples of events, and a daemon beside the editor."""
