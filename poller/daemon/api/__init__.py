"""What the daemon answers over HTTP: health, status, metrics, steering."""
