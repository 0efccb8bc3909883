"""The paper's tables again: engines and the fabric side by side, and the report that is made of them."""
