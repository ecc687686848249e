"""What the API's JSON looks like: one msgspec Struct a thing, which both encodes it and documents it."""
