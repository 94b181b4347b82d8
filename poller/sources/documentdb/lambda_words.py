"""What Lambda's API says of mappings of DocumentDB."""

from dataclasses import replace

from poller.sources.sharded import lambda_words as sharded

LAMBDA_WORDS = replace(
    sharded.LAMBDA_WORDS,
    missing="Cluster not found: {source}",
    denied="Cannot access cluster {source}. Please ensure that the database's user can read its change streams.",
)
