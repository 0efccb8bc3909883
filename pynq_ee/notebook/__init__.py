"""What the cells of the notebooks call: widgets, pictures and tables.

Nothing else uses it. It needs what a PYNQ image has (ipywidgets, matplotlib); elsewhere,
``pip install 'pynq_ee[notebook]'`` brings them, and anywidget for a drawing pad that answers while one draws.
"""
