"""What Windhover costs: scripts that print tables. ``python -m benchmarks`` measures a real server.

Documentation page: ``docs/benchmarks.md``.
"""
