"""Flow control: sequences, branches, loops."""
