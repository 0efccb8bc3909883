"""What becomes of results when the board misbehaves: the soak, and the table of faults."""
