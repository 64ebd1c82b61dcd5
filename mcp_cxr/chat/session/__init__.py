"""What a running page holds: the servers, uploads, views, conversations, exports and saved queries of its user."""

from mcp_cxr.chat.session._conversation import Conversation, PendingConsent
from mcp_cxr.chat.session._export import to_csv, to_zip
from mcp_cxr.chat.session._folders import broad_folder_warning
from mcp_cxr.chat.session._mcp_client import Loop, ServerEnded
from mcp_cxr.chat.session._search_queries import (
    FIELDS,
    GROUPS,
    MODES,
    count_filters,
    describe_query,
    query_of,
    save_query,
    saved_queries,
)
from mcp_cxr.chat.session._servers import Backend, current_backend, opened_backend
from mcp_cxr.chat.session._views import View

__all__ = [
    "FIELDS",
    "GROUPS",
    "MODES",
    "Backend",
    "Conversation",
    "Loop",
    "PendingConsent",
    "ServerEnded",
    "View",
    "broad_folder_warning",
    "count_filters",
    "current_backend",
    "describe_query",
    "opened_backend",
    "query_of",
    "save_query",
    "saved_queries",
    "to_csv",
    "to_zip",
]
