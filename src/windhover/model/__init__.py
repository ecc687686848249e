"""Flow definitions and runtime records (floor 0: imports nothing of the house but ``util``)."""
