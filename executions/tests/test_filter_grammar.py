"""The grammar of ``filter`` and ``sort``, and the positions in its errors."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executions.api.filter_grammar import MAX_TERMS, FilterSyntaxError, read_filter, read_sort


def said(text: str) -> list[list[list[tuple[str, str, str]]]]:
    return [
        [[(str(one.name), str(one.operator), str(one.value)) for one in together] for together in group]
        for group in read_filter(text)
    ]


@pytest.mark.parametrize(
    ("text", "groups"),
    [
        ("", []),
        ("  ", []),
        ("a=1", [[[("a", "=", "1")]]]),
        ("a>=-1.50 , b!='x'", [[[("a", ">=", "-1.50")]], [[("b", "!=", "'x'")]]]),
        ("a like '%'", [[[("a", "like", "'%'")]]]),
        ("a LIKE'%'", [[[("a", "LIKE", "'%'")]]]),
        ("like like 'like'", [[[("like", "like", "'like'")]]]),
        ("a='it''s, (b=2) OR ''',c<1", [[[("a", "=", "'it''s, (b=2) OR '''")]], [[("c", "<", "1")]]]),
        (
            "(a=1 OR b=2 or or=3),(a=4)",
            [[[("a", "=", "1")], [("b", "=", "2")], [("or", "=", "3")]], [[("a", "=", "4")]]],
        ),
        ("(a>1,a<3 OR b=2)", [[[("a", ">", "1"), ("a", "<", "3")], [("b", "=", "2")]]]),
        ("a='\n\\'", [[[("a", "=", "'\n\\'")]]]),
    ],
)
def test_a_filter_is_groups_of_alternatives(
    text: str, groups: list[list[list[tuple[str, str, str]]]]
) -> None:
    assert said(text) == groups


@pytest.mark.parametrize(
    ("text", "position", "expected"),
    [
        ("a", 2, "one of = != > >= < <= or like, not the end"),
        ("a=", 3, "a text in single quotes or a number of up to 12 digits, not the end"),
        ("a==1", 3, "a text in single quotes or a number of up to 12 digits, not '=1'"),
        ("a='x", 3, 'a text in single quotes or a number of up to 12 digits, not "\'x"'),
        ("a='\0'", 3, "a text in single quotes or a number of up to 12 digits, not \"'\\x00'\""),
        ('a="x"', 3, "a text in single quotes or a number of up to 12 digits, not '\"x\"'"),
        ("a=1234567890123", 3, "a text in single quotes or a number of up to 12 digits, not '1234567890123'"),
        ("a=1.2.3", 3, "a text in single quotes or a number of up to 12 digits, not '1.2.3'"),
        ("a likes 'x'", 3, "one of = != > >= < <= or like, not \"likes 'x'\""),
        ("a=1 b=2", 5, "a comma or the end, not 'b=2'"),
        ("a=1 or b=2", 5, "a comma or the end, not 'or b=2'"),
        ("a=1,", 5, "the name of a field or an opening bracket, not the end"),
        (",a=1", 1, "the name of a field or an opening bracket, not ',a=1'"),
        ("(a=1 or b=2", 12, "a comma or a closing bracket or OR, not the end"),
        ("(a=1,", 6, "the name of a field, not the end"),
        ("((a=1))", 2, "the name of a field, not '(a=1))'"),
        ("()", 2, "the name of a field, not ')'"),
        ("a=1)", 4, "a comma or the end, not ')'"),
    ],
)
def test_what_is_no_filter_says_where_and_what_was_expected(text: str, position: int, expected: str) -> None:
    with pytest.raises(FilterSyntaxError) as caught:
        read_filter(text)
    assert caught.value.members["position"] == position
    assert caught.value.detail == f"filter: At position {position}: expected {expected}."


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("", []),
        ("a", [("a", False)]),
        ("a asc,b DESC , c", [("a", False), ("b", True), ("c", False)]),
        ("asc desc", [("asc", True)]),
    ],
)
def test_a_sort_is_keys_with_directions(text: str, keys: list[tuple[str, bool]]) -> None:
    assert [(str(key.name), key.descending) for key in read_sort(text)] == keys


@pytest.mark.parametrize(
    ("text", "position"),
    [("-a", 1), ("a,", 3), ("a down", 3), ("a desc asc", 8), ("a;b", 2), ("a.b", 2), ("a='x'", 2)],
)
def test_what_is_no_sort_says_where(text: str, position: int) -> None:
    with pytest.raises(FilterSyntaxError) as caught:
        read_sort(text)
    assert caught.value.members["position"] == position


@pytest.mark.parametrize(("read", "term"), [(read_filter, "a=1"), (read_sort, "a")])
def test_the_number_of_terms_is_limited(read, term: str) -> None:
    assert len(read(",".join([term] * MAX_TERMS))) == MAX_TERMS
    with pytest.raises(FilterSyntaxError, match="more than 100 terms"):
        read(",".join([term] * MAX_TERMS + [term]))


@given(st.text(alphabet="ab='%(),<>! 1.-\\\0é") | st.text())
def test_any_other_text_is_refused(text: str) -> None:
    for read in (read_filter, read_sort):
        with suppress(FilterSyntaxError):
            read(text)
