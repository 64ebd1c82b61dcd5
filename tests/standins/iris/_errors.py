"""Errors of the server; SQLCODE as in the SQL error reference (RERR_sql)."""

from __future__ import annotations

MESSAGES = {
    -1: "Invalid SQL statement",
    -12: "A term expected, beginning with one of the following: identifier, constant, aggregate, ...",
    -25: "Input encountered after end of query",
    -27: "Field is ambiguous among the applicable tables",
    -29: "Field not found in the applicable tables",
    -30: "Table or view not found",
    -99: "Privilege violation",
    -104: "Field validation failed in INSERT, or value failed to convert in DisplayToLogical or OdbcToLogical",
    -105: "Field validation failed in UPDATE",
    -108: "Required field missing; INSERT or UPDATE not allowed",
    -110: "Locking conflict in filing",
    -119: "UNIQUE or PRIMARY KEY constraint failed uniqueness check upon INSERT",
    -201: "Table or view name not unique",
    -257: "Cannot perform vector operation on vectors of different lengths",
    -259: "Cannot perform vector operation on vectors of different datatypes",
    -120: "UNIQUE or PRIMARY KEY constraint failed uniqueness check upon UPDATE",
    -324: "Index with this name already defined for this table",
    -359: "User defined SQL Function not found",
    -333: "No such index defined",
    -386: "Cannot mix TOP, LIMIT and FETCH",
    -400: "Fatal error occurred",
    -417: "Access Denied",
    -460: "General error",
}


class SqlError(Exception):
    """An error, to be answered with its SQLCODE."""

    def __init__(self, code: int, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail

    @property
    def text(self) -> str:
        """The text that a client gets when it asks for it."""
        return f"[SQLCODE: <{self.code}>:<{MESSAGES.get(self.code, 'Error')}>]\r\n[%msg: <{self.detail}>]"
