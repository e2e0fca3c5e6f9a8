"""The subcommands of ``nbprobe``: each module has ``SUMMARY`` and ``main(argv)``."""
