"""Event source mappings that are written for other tools, read into this program's configuration.

An importer is one module: it reads what one tool has and gives `Draft`s. `taking` turns drafts into entries that
`poller check` accepts, `writing` shows them as YAML, and each command of `poller import` names one importer.
"""
