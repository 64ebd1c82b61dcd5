"""The researcher's work on an archive: vectors as arrays, and what is computed from them."""

__all__: list[str] = []
