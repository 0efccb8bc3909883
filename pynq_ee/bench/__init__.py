"""Side-by-side measurement: the paper's tables again, energy, robustness, and the report that is made of them."""
