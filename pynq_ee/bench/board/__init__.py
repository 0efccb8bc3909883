"""What a board would do: a model of its time, from counted instructions and published constants."""
