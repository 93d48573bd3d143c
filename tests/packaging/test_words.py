"""Comments, docstrings, messages and names avoid words that a reader would stumble over."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CHECKED = (
    *("README.md", "otcpipe", "actors", "schema", "scripts"),
    *("tests/cli", "tests/export", "tests/packaging/test_compose.py", "tests/report"),
)
ALLOWED = {
    "otcpipe/stack/account.py": {"nobody"},  # the user of that name
    "otcpipe/storage/postgres_errors.py": {"nobody"},
    "otcpipe/stages/normalize.py": {"stands"},  # a reason that stored rejects have
    "otcpipe/audit/verify.py": {"stand"},  # a stand-in table
    "schema/queries/verify.sql": {"stand"},
}
UNCLEAR = re.compile(
    r"""(?<![a-z])(
    tells?|told|telling|untold            # use say, report, return, show
    |at\sit|whoever|nobody|somebody       # name the subject
    |apart|anew|ought                     # use separate, again, should
    |tak(?:e|es|en|ing)\saway|took\saway  # use remove
    |of\sthe\slike
    |(?:come|comes|came|coming)\sthrough  # use is done
    |there(?!\s(?:is|are|was|were)\b)      # as a place; "if there is none" is plain
    |stands?|standing                     # use exists, is stored, is in
    )(?![a-z])""",
    re.VERBOSE | re.IGNORECASE,
)
FILES = sorted(
    path
    for place in CHECKED
    for path in ([ROOT / place] if (ROOT / place).is_file() else (ROOT / place).rglob("*"))
    if path.suffix in (".py", ".sql", ".html", ".md") and path.parent.name != "upgrades"  # steps of the past
)


def texts(path: Path) -> Iterator[str]:
    """Yield what a reader reads: of Python strings, comments and names, of SQL comments, else everything."""
    source = path.read_text()
    if path.suffix == ".sql":
        yield from re.findall(r"--.*", source)
    elif path.suffix != ".py":
        yield source
    else:
        before = ""
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            if token.type == tokenize.COMMENT:
                yield token.string
            elif token.type == tokenize.NAME and before != ".":  # an attribute is checked in its own module
                yield token.string.replace("_", " ")
            before = token.string
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_uses_plain_words(path: Path) -> None:
    found = [" ".join(match[0].split()) for text in texts(path) for match in UNCLEAR.finditer(" ".join(text.split()))]
    allowed = ALLOWED.get(str(path.relative_to(ROOT)), set())
    assert [words for words in found if words.lower() not in allowed] == []


def test_unclear_words_are_found_wherever_they_are_written(tmp_path: Path) -> None:
    file = tmp_path / "example.py"
    file.write_text(
        '"""Nobody is\nat it."""\ntold_by = f"{1} ought"  # take away\nhotel = "intellect, other, standard"\n'
    )
    found = [match[0] for text in texts(file) for match in UNCLEAR.finditer(" ".join(text.split()))]
    assert sorted(found) == ["Nobody", "at it", "ought", "take away", "told"]
