"""Commands in a pseudo-terminal of a given width."""

import errno
import fcntl
import os
import re
import struct
import subprocess
import sys
import termios

PROGRAM = """
import sys
from otcpipe.cli import app
for line in sys.argv[1:]:
    sys.argv = ["otcpipe", *line.split()]
    print("==>", line)
    try:
        app()
    except SystemExit:
        pass
"""


def in_terminal(width: int, *commands: str, lines: int = 1000, **variables: str) -> str:
    """Return what the commands print, one after the other, in a terminal of so many columns and lines."""
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, width, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")}
    command = [sys.executable, "-c", PROGRAM, *commands]
    process = subprocess.Popen(command, stdout=slave, stderr=slave, env=environment | {"TERM": "xterm"} | variables)
    os.close(slave)
    printed = bytearray()
    try:
        while piece := os.read(master, 1 << 16):
            printed += piece
    except OSError as error:
        if error.errno != errno.EIO:  # the end of a terminal
            raise
    finally:
        os.close(master)
        process.wait(60)
    text = re.sub(r"\x1b\[[0-9;]*m", "", printed.decode().replace("\r\n", "\n"))  # without colours
    return re.sub(r"^.*\x1b\[2K|\x1b\[\?25[lh]", "", text, flags=re.MULTILINE)  # nor what was erased again
