"""The notebooks that ``pynq get-notebooks pynq_ee`` delivers, found by the entry point pynq.notebooks."""
