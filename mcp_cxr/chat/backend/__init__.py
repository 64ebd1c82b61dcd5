"""What is behind the page while it runs: MCP servers, conversations, jobs, uploads, exports and saved queries."""

from mcp_cxr.chat.backend._backend import Backend, current_backend, opened_backend
from mcp_cxr.chat.backend._broad_folder_warning import broad_folder_warning
from mcp_cxr.chat.backend._conversation import Conversation, PendingConsent
from mcp_cxr.chat.backend._export import Origin, Selection, to_csv, write_zip
from mcp_cxr.chat.backend._ingest_job import IngestJob, folder_of
from mcp_cxr.chat.backend._pull_job import PullJob
from mcp_cxr.chat.backend._saved_queries import save_query, saved_queries
from mcp_cxr.chat.backend._viewer_queries import ViewerQuery

__all__ = [
    "Backend",
    "Conversation",
    "IngestJob",
    "Origin",
    "PendingConsent",
    "PullJob",
    "Selection",
    "ViewerQuery",
    "broad_folder_warning",
    "current_backend",
    "folder_of",
    "opened_backend",
    "save_query",
    "saved_queries",
    "to_csv",
    "write_zip",
]
