"""What is asked of InterSystems IRIS; loads its driver."""

from mcp_cxr.first_contact.iris._contact import contact_iris
from mcp_cxr.first_contact.iris._write import WriteSize, contact_iris_writing

__all__ = ["WriteSize", "contact_iris", "contact_iris_writing"]
