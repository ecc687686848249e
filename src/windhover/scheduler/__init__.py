"""The scheduler: looks at triggers when they are due, and starts what they ask for.

Documentation page: ``docs/triggers.md``.
"""
