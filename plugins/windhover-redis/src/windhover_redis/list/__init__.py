"""Tasks and triggers on Redis lists."""
