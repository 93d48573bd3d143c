"""Numbers with their nouns and units."""


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun, such as "1 run" or "2,000 runs"; a plural that is not in s is given."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


def size(count: int) -> str:
    """Return a number of bytes as megabytes, rounded up, or from a gigabyte on as gigabytes."""
    return f"{count / 10**9:,.1f} GB" if count >= 10**9 else f"{-(-count // 10**6)} MB"
