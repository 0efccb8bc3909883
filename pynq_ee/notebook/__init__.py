"""What the cells of the notebooks call: widgets, pictures and tables.

Nothing else uses it. It needs what a PYNQ image has (ipywidgets, matplotlib), and for the drawing pad ``anywidget``:
``pip install 'pynq_ee[notebook]'``.
"""
