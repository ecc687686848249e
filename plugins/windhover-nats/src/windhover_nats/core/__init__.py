"""Tasks and triggers on the messages of NATS."""
