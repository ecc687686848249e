"""The engine: a pure state machine. Given an execution and an event it says what changes and what to do.

It reads no clock, makes no random choice, touches no database: everything that servers do with
executions can be tried here in microseconds.
"""
