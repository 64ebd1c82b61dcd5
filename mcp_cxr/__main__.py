"""`python -m mcp_cxr` is `mcp-cxr`."""

import sys

from mcp_cxr.cli import main

sys.exit(main())
