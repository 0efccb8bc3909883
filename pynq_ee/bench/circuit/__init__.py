"""What the circuit costs: its clocks and latency, and its resources, built or estimated."""
