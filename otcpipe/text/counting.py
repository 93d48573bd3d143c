"""Numbers with their nouns."""


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun, such as "1 run" or "2,000 runs"; a plural that is not in s is given."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"
