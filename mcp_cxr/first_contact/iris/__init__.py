"""What is asked of InterSystems IRIS; loads its driver."""

from mcp_cxr.first_contact.iris._iris_session import contact_iris
from mcp_cxr.first_contact.iris._write_parts import WriteSize, contact_iris_writing

__all__ = ["WriteSize", "contact_iris", "contact_iris_writing"]
