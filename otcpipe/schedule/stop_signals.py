"""The signals that end a command which runs until it is stopped."""

import signal


def stop_signals() -> set[signal.Signals]:
    """Return SIGINT, SIGTERM, and SIGHUP unless it is ignored: `nohup` makes a command outlive its terminal."""
    ending = {signal.SIGINT, signal.SIGTERM}
    return ending if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else ending | {signal.SIGHUP}
