"""The subcommands of ``pynq-ee``.

Each module has ``HELP`` (a phrase), ``EXAMPLES`` (lines for ``--help``), ``configure(parser)`` and
``run(args) -> int``, the exit status. One that writes files has ``outputs(args)``, which names them: they are looked at
before it runs.
"""
