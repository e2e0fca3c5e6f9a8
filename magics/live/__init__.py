"""What happens while a profile runs, in child processes and on engines.

Nothing is imported here, so that a child process starts fast: `nbprobe.live.children` has
what the magics use for ``--children``.
"""
