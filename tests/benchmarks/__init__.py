"""What a message costs: the daemon and a plain aiobotocore loop, measured side by side against one stub endpoint."""
