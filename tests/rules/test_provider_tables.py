"""What the pages say of providers is what the registry has."""

import pytest

from tests.rules.provider_tables import ROOT, TABLES, with_table


@pytest.mark.parametrize("name", TABLES)
def test_the_table_is_of_the_registry(name: str) -> None:
    page = (ROOT / name).read_text("utf-8")

    assert "<!-- providers -->" in page
    assert page == with_table(page, TABLES[name]()), "run `make docs`"
