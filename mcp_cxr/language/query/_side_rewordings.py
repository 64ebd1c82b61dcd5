"""What a query says of one side beside the other, and how a report says it: "right clear, left effusion"."""

from __future__ import annotations

from typing import Final

from mcp_cxr.language.query._shared_patterns import SEEN, SIDES, Rewordings

_PART = r"(?:lung|side|hemithorax|base|apex)"
_CLEAR = r"(?:clear|normal|unremarkable|negative|spared|free|dry|sharp|intact|unaffected|uninvolved)"
_OTHER_SIDE_CLEAR = (
    rf"[,;]\s*(?:(?:and|but)\s+)?(?:the\s+)?({SIDES})(?:\s+(?:lung|side|one|angle|sulcus|hemithorax))?"
    rf"(?:\s+(?:is|being|remains))?\s+(?:{_CLEAR}|nothing|none)\b(?!\s+of\b)"
)
"""A side that a finding is not on: "left effusion, right side clear"."""
_CLEAR_SIDE_FIRST = (
    rf"^\W*(?:the )?({SIDES})(?:[ -]sided)?(?: ({_PART}))?(?: (?:is|being))? {_CLEAR}\s*[,;]\s*(?:(?:but|and|while) )?"
    rf"(?:the )?(?=[^,;.]*\b{SIDES}\b)([^;.]+)"
)
"""The same before the finding: "right lung clear, left effusion"."""
_CLEAR_ON_FIRST = rf"^\W*(?:nothing|{_CLEAR}) on the ({SIDES})(?: side)?\s*[,;]\s*(?:(?:but|and) )?([^;.]+)"
"""The same with its preposition: "clear on the left, consolidated on the right"."""
_NOTHING_ON = (
    rf",?\s*\b(?:(?:and|but|with) )?(?:nothing|{_CLEAR})(?: {SEEN})? (?:on|in|at) the ({SIDES})(?: (?:side|lung))?"
    r"(?=\s*(?:$|[,;.]))"
)
"""The same behind it: "effusion on the left, nothing on the right"."""
_WITH_CLEAR_SIDE = rf",?\s*\bwith (?:an? |the )?{_CLEAR} ({SIDES}) {_PART}\b"
"""The same with "with": "left effusion with clear right lung"."""
_NOT_THERE_FIRST = rf"^not (?:on|in|at) the ({SIDES})(?: ({_PART}))?\s*[:,;]\s*([^;.]+)"
"""A side that is ruled out, before the finding: "not on the right: mass"."""
_ONE_ON_OTHER = (
    rf"\b(?:no|without)(?: an?)? ([^,;.]+?) on the ({SIDES})(?: side)?,? but (?:with )?(?:an? )?one on the ({SIDES})\b"
)
"""The same of two: "no mass on the right but one on the left"."""
_NOT_THERE_BUT = (
    rf"\bnot\s+(?:{SEEN}\s+)?((?:on|in|at) the {SIDES}),?\s+but\s+(?:{SEEN}\s+)?((?:on|in|at) the {SIDES})\b"
)
"""Such as "not seen on the left but on the right"."""
_GONE_ON_ONE = (
    rf"\b([a-z][\w -]*?) (?:is |has )?(?:gone|resolved|cleared) on the ({SIDES}),? (?:but|and) "
    rf"(?:persist(?:s|ing|ent)?|still (?:there|present)|(?:is )?(?:unchanged|stable)|present) on the ({SIDES})\b"
)
"""What has resolved on one side: "pneumothorax gone on the left but persists on the right"."""
SIDE_REWORDINGS: Final[Rewordings] = (
    (_NOT_THERE_BUT, r"\2, not \1"),
    (_GONE_ON_ONE, r"\3 \1 unchanged; \2 \1 resolved"),
    (_ONE_ON_OTHER, r"\1 on the \3, not on the \2"),
    (rf"\bno ([a-z]+) (?:on the )?({SIDES}),\s*\1 (?:on the )?({SIDES})\b", r"\1 on the \3, not on the \2"),
    (_NOT_THERE_FIRST, r"\3, not on the \1 \2"),
    (_CLEAR_SIDE_FIRST, r"\3, not on the \1 \2"),
    (_CLEAR_ON_FIRST, r"\2, not on the \1"),
    (_OTHER_SIDE_CLEAR, r", not on the \1"),
    (_NOTHING_ON, r", not on the \1"),
    (_WITH_CLEAR_SIDE, r", not on the \1"),
)
"""What is said of each side."""
