"""How a scanner samples a head, and what a scan tells about it."""
