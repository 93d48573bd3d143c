"""The documents of the project, and what they hold."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
PATHS = sorted(
    [
        ROOT / "README.md",
        *(path for folder in ("otcpipe", "schema", "scripts", "tests") for path in (ROOT / folder).rglob("*.md")),
    ]
)
DOCUMENTS = {str(path.relative_to(ROOT)): path.read_text() for path in PATHS}
TEXT = "\n".join(DOCUMENTS.values())
_CODE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def links(document: str) -> list[str]:
    """The targets of a document's links and pictures that are in the project."""
    found = re.findall(r"\]\(([^)\s]+)\)", _CODE.sub("", DOCUMENTS[document]))
    return [target for target in found if "://" not in target]


def anchors(path: Path) -> set[str]:
    """The names of a document's headings, as GitHub links to them."""
    headings = re.findall(r"^#+ (.+)$", _CODE.sub("", path.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def example(document: str, language: str, containing: str = "") -> str:
    """The first block of code in a language that contains a text."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", DOCUMENTS[document], re.MULTILINE | re.DOTALL)
    found = [str(block) for block in blocks if containing in block]
    if not found:
        raise LookupError(f"{document} has no example in {language}")
    return found[0]
