"""Tasks made of text."""
