"""How far the exit rule holds: corrupted digits, a stream that drifts, other draws of the calibration set."""
