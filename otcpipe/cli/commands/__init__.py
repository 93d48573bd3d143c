"""What the command line offers, in the order of its help. Commands import what they need when they run."""

from otcpipe.cli.commands import collect, operate, read, repair

GROUPS = (operate.commands, collect.commands, read.commands, repair.commands)
