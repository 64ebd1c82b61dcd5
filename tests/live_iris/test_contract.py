"""The contract tests of all stores, with the real server."""

import pytest

from tests.contract.stores.test_files import *  # noqa: F403  # all tests of the contract
from tests.contract.stores.test_images import *  # noqa: F403  # all tests of the contract
from tests.contract.stores.test_life_cycle import *  # noqa: F403  # all tests of the contract
from tests.contract.stores.test_ranking import *  # noqa: F403  # all tests of the contract
from tests.contract.stores.test_studies_and_words import *  # noqa: F403  # all tests of the contract

pytestmark = pytest.mark.iris_live
