"""Tasks on the channels of Redis."""
