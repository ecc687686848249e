"""Tasks that send HTTP requests."""
