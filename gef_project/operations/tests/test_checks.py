import pytest

from gef_project.operations.checks import check_servers, check_version


@pytest.mark.django_db
def test_the_server_of_the_tests_will_do() -> None:
    assert check_servers(["default"]) == []


@pytest.mark.parametrize(("major", "ids"), [(14, ["gef.E001"]), (15, []), (18, []), (19, ["gef.W001"])])
def test_other_versions_are_named(major: int, ids: list[str]) -> None:
    assert [problem.id for problem in check_version(major)] == ids
