"""Counts the words of a text, or of the project's own source files, and returns the most frequent ones.

Params: ``text`` (str, optional; without it the project's files are read), ``suffixes`` (of the files; of
``.md`` and ``.py``), ``top`` (int, how many words).
"""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from examples.reporting import Progress, params, report

PROJECT = Path(__file__).resolve().parent.parent
SUFFIXES = (".md", ".py")
OTHERS = {"var", "node_modules"}  # folders beside the sources that hold no source

_word = re.compile(r"[^\W\d_]{2,}")


def words(text: str) -> Counter[str]:
    return Counter(match.group().lower() for match in _word.finditer(text))


def sources(suffixes: tuple[str, ...] = SUFFIXES) -> list[Path]:
    """The project's files with these suffixes, in the order of their paths."""
    return sorted(path for path in _walk(PROJECT) if path.suffix in suffixes and path.suffix in SUFFIXES)


def _walk(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.name.startswith(".") or path.name in OTHERS:
            continue
        if path.is_dir():
            yield from _walk(path)
        else:
            yield path


def main() -> None:
    given = params()
    counts: Counter[str] = Counter()
    if "text" in given:
        counts = words(given["text"])
        read = 1
    else:
        paths = sources(tuple(given.get("suffixes", SUFFIXES)))
        read = len(paths)
        progress = Progress(read, every=0)
        for number, path in enumerate(paths, start=1):
            found = words(path.read_text(encoding="utf-8", errors="replace"))
            counts += found
            print(f"{path.relative_to(PROJECT)}: {found.total()} words")
            progress.done(number)
    top = [{"word": word, "count": count} for word, count in counts.most_common(given.get("top", 20))]
    print(f"{counts.total()} words, {len(counts)} different ones")
    report(
        status="FINISHED",
        results={"texts": read, "words": counts.total(), "different": len(counts), "top": top},
    )


if __name__ == "__main__":
    main()
