"""What a running page holds: its servers, uploads, views, conversations, the ingest, exports and saved queries."""

from mcp_cxr.chat.session._conversation import Conversation, PendingConsent
from mcp_cxr.chat.session._export import Origin, Selection, to_csv, write_zip
from mcp_cxr.chat.session._folders import broad_folder_warning
from mcp_cxr.chat.session._ingest_job import IngestJob, folder_of
from mcp_cxr.chat.session._mcp_client import ServerEnded
from mcp_cxr.chat.session._pull_job import PullJob
from mcp_cxr.chat.session._saved_queries import save_query, saved_queries
from mcp_cxr.chat.session._servers import Backend, current_backend, opened_backend
from mcp_cxr.chat.session._views import View

__all__ = [
    "Backend",
    "Conversation",
    "IngestJob",
    "Origin",
    "PendingConsent",
    "PullJob",
    "Selection",
    "ServerEnded",
    "View",
    "broad_folder_warning",
    "current_backend",
    "folder_of",
    "opened_backend",
    "save_query",
    "saved_queries",
    "to_csv",
    "write_zip",
]
