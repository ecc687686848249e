"""Tasks that keep a state between executions. The key-value store has replaced them."""
