"""Triggers: schedules, other flows' executions, webhooks."""
