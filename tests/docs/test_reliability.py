"""docs/reliability.md says what the tests try, no more and no less."""

from __future__ import annotations

from tests.docs.reliability import PAGE, page


def test_the_page_of_what_was_tried_is_that_of_the_tests() -> None:
    assert PAGE.read_text() == page(), "write it anew: python -m tests.docs.reliability"
