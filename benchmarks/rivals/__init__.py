"""The same transitions by other packages, each used as its own documentation recommends."""
