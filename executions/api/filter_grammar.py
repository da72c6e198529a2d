"""The grammar of the parameters ``filter`` and ``sort``; ``filter_fields.py`` has the names in them."""

from dataclasses import dataclass
from typing import Any, cast

from lark import Lark, Token, Transformer, UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from gef_project.common.errors import BadRequest

# Comparisons of a filter, or keys of a sort: enough for clients, and few enough for a quick query plan.
MAX_TERMS = 100

_GRAMMAR = r"""
    filter: group ("," group)*
    group: one | "(" all (_OR all)* ")"
    one: comparison
    all: comparison ("," comparison)*
    comparison: NAME (COMPARED | LIKE) (TEXT | NUMBER)

    sort: key ("," key)*
    key: NAME [ASC | DESC]

    NAME: /[a-z_]+/i
    COMPARED: "=" | "!=" | ">=" | ">" | "<=" | "<"
    LIKE: /like\b/i
    TEXT: /'(''|[^'\0])*'/
    NUMBER: /-?[0-9]{1,12}(\.[0-9]{1,9})?(?![0-9.])/
    _OR: /or\b/i
    ASC: /asc\b/i
    DESC: /desc\b/i
    %ignore /\s+/
"""

_TOKEN_NAMES = {
    "NAME": "the name of a field",
    "COMPARED": "one of = != > >= < <=",
    "LIKE": "like",
    "TEXT": "a text in single quotes",
    "NUMBER": "a number of up to 12 digits",
    "COMMA": "a comma",
    "LPAR": "an opening bracket",
    "RPAR": "a closing bracket",
    "_OR": "OR",
    "ASC": "asc",
    "DESC": "desc",
    "$END": "the end",
}


class FilterSyntaxError(BadRequest):
    """A filter or sort that cannot be understood, with the position of the mistake."""

    def __init__(self, parameter: str, index: int, problem: str) -> None:
        text = f"At position {index + 1}: {problem}."
        super().__init__(f"{parameter}: {text}", "invalid", errors={parameter: [text]}, position=index + 1)


@dataclass(frozen=True)
class Comparison:
    """Its parts are tokens, which know their position in the text."""

    name: Token
    operator: Token
    value: Token


@dataclass(frozen=True)
class Key:
    name: Token
    descending: bool


class _Reader(Transformer[Token, Any]):
    filter = group = one = all = sort = list

    def comparison(self, parts: list[Token]) -> Comparison:
        return Comparison(*parts)

    def key(self, parts: list[Token | None]) -> Key:
        name, direction = parts
        return Key(cast(Token, name), direction is not None and direction.type == "DESC")


_parser = Lark(_GRAMMAR, parser="lalr", start=["filter", "sort"], transformer=_Reader())


def read_filter(text: str) -> list[list[list[Comparison]]]:
    """The groups of a filter, each a list of alternatives, each of them a list of comparisons.

    All groups must match; a group matches if all comparisons of one of its alternatives do.

    Raises:
        FilterSyntaxError: the text is not a filter, or has too many comparisons.
    """
    groups = _read("filter", text)
    _check_count("filter", [one.name for group in groups for alternative in group for one in alternative])
    return cast(list[list[list[Comparison]]], groups)


def read_sort(text: str) -> list[Key]:
    """The keys of a sort, the most important first.

    Raises:
        FilterSyntaxError: the text is not a sort, or has too many keys.
    """
    keys = _read("sort", text)
    _check_count("sort", [key.name for key in keys])
    return cast(list[Key], keys)


def _read(parameter: str, text: str) -> Any:
    if not text.strip():
        return []
    try:
        return _parser.parse(text, start=parameter)
    except UnexpectedInput as error:
        raise _syntax_error(parameter, text, error) from None


def _syntax_error(parameter: str, text: str, error: UnexpectedInput) -> FilterSyntaxError:
    match error:
        case UnexpectedToken():
            index, expected = error.token.start_pos, error.accepts or error.expected
            if error.token.type == "$END":
                index = len(text)
        case UnexpectedCharacters():
            index, expected = error.pos_in_stream, error.allowed
        case _:
            index, expected = error.pos_in_stream, set()
    wanted = " or ".join(words for name, words in _TOKEN_NAMES.items() if name in expected)
    found = repr(text[index : index + 20]) if index < len(text) else "the end"
    return FilterSyntaxError(parameter, index, f"expected {wanted}, not {found}")


def _check_count(parameter: str, names: list[Token]) -> None:
    if len(names) > MAX_TERMS:
        too_many = names[MAX_TERMS]
        raise FilterSyntaxError(parameter, too_many.start_pos or 0, f"there are more than {MAX_TERMS} terms")
