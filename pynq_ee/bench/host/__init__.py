"""What the host's path costs: the driver, ways to transfer, the remainder, and batches of every size."""
