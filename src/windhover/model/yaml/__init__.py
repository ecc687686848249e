"""YAML with positions: text in, plain values and the place of each of them out."""
