"""What the commands of the command line do. Each module is imported by the command that needs it, and prints."""
