"""What is asked of InterSystems IRIS; loads its driver."""

from mcp_cxr.first_contact.iris._contact_writing import WriteSize, contact_iris_writing
from mcp_cxr.first_contact.iris._iris_session import contact_iris

__all__ = ["WriteSize", "contact_iris", "contact_iris_writing"]
