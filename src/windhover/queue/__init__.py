"""How server components meet: events and commands to the executor, jobs to workers, broadcasts to all."""
