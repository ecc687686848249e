"""Tasks on the key-value buckets of NATS."""
