"""What is pluggable, as protocols, and what is shown, as values: the runtime knows the outside only through these."""
