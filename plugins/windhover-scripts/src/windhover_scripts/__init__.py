"""Shell and Python script tasks for Windhover."""
