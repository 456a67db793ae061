"""The nouns: frozen pydantic values that every room shares. No I/O, no clock, no other room."""
