"""The words and functions that this server accepts: those that InterSystems documents, each with its page.

A page is the KEY of docs.intersystems.com/irislatest/csp/docbook/DocBook.UI.Page.cls?KEY=... What is documented but not
here is unknown to this server, not to IRIS: add it with its page.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

Kind: TypeAlias = Literal["text", "integer", "double", "same"]
"""Kind of its result column; `same`: that of its arguments."""


class Function(NamedTuple):
    page: str
    kind: Kind
    min_arguments: int = 1
    max_arguments: int = 1
    sqlite_name: str | None = None
    """Its name in SQLite, if that differs."""


FUNCTIONS = {
    "ABS": Function("RSQL_abs", "same"),
    "AVG": Function("RSQL_avg", "double"),
    "CEILING": Function("RSQL_ceiling", "integer", sqlite_name="iris_ceiling"),
    "CHAR_LENGTH": Function("RSQL_charlength", "integer", sqlite_name="LENGTH"),
    "COALESCE": Function("RSQL_coalesce", "same", 2, 99),
    "CONCAT": Function("RSQL_concat", "text", 2, 2, sqlite_name="iris_concat"),
    "COUNT": Function("RSQL_count", "integer"),
    "EXP": Function("RSQL_exp", "double", sqlite_name="iris_exp"),
    "FLOOR": Function("RSQL_floor", "integer", sqlite_name="iris_floor"),
    "GREATEST": Function("RSQL_greatest", "same", 2, 99, sqlite_name="MAX"),
    "ISNULL": Function("RSQL_isnull", "same", 2, 2, sqlite_name="COALESCE"),
    "LEAST": Function("RSQL_least", "same", 2, 99, sqlite_name="MIN"),
    "LENGTH": Function("RSQL_length", "integer"),
    "LN": Function("RSQL_ln", "double", sqlite_name="iris_log"),
    "LOG": Function("RSQL_log", "double", sqlite_name="iris_log"),
    "LOG10": Function("RSQL_log10", "double", sqlite_name="iris_log10"),
    "LOWER": Function("RSQL_lower", "text", sqlite_name="iris_lower"),
    "MAX": Function("RSQL_max", "same"),
    "MIN": Function("RSQL_min", "same"),
    "MOD": Function("RSQL_mod", "same", 2, 2, sqlite_name="iris_mod"),
    "NULLIF": Function("RSQL_nullif", "same", 2, 2),
    "NVL": Function("RSQL_nvl", "same", 2, 2, sqlite_name="COALESCE"),
    "POWER": Function("RSQL_power", "double", 2, 2, sqlite_name="iris_power"),
    "REPLACE": Function("RSQL_replace", "text", 3, 3),
    "ROUND": Function("RSQL_round", "double", 1, 2),
    "SQRT": Function("RSQL_sqrt", "double", sqlite_name="iris_sqrt"),
    "SUBSTRING": Function("RSQL_substring", "text", 2, 3, sqlite_name="SUBSTR"),
    "SUM": Function("RSQL_sum", "same"),
    "UPPER": Function("RSQL_upper", "text", sqlite_name="iris_upper"),
    "VECTOR_COSINE": Function("RSQL_vectorcosine", "double", 2, 2, sqlite_name="iris_cosine"),
    "VECTOR_DOT_PRODUCT": Function("RSQL_vectordotproduct", "double", 2, 2, sqlite_name="iris_dot"),
    "%SQLUPPER": Function("RSQL_sqlupper", "text", sqlite_name="iris_upper"),
}
"""Beside these, what reads unlike a function: CAST (RSQL_cast), %EXACT (RSQL_exact), TO_VECTOR (RSQL_tovector), and
$LISTFROMSTRING after %INLIST (RSQL_listfromstring, RSQL_inlist)."""

AGGREGATES = frozenset("AVG COUNT MAX MIN SUM".split())

EXPRESSION_WORDS = frozenset(
    "AND OR NOT"  # GSQL_langelements
    " IN IS NULL LIKE ESCAPE BETWEEN EXISTS"  # RSQL_in, RSQL_null, RSQL_like, RSQL_between, RSQL_exists
    " CASE WHEN THEN ELSE END"  # RSQL_case
    " ASC DESC"  # RSQL_orderby
    " CURRENT_TIMESTAMP CURRENT_DATE".split()  # RSQL_currenttimestamp, RSQL_currentdate
)
"""Words of expressions that mean the same in SQLite."""

RESTRICTIONS = frozenset("%NOLOCK %NOCHECK %NOINDEX %NOJOURN %NOTRIGGER".split())  # RSQL_insert, RSQL_update
"""Keywords that each need an administrative privilege of the same name (GSQL_privileges)."""
CAST_TYPES = frozenset("INTEGER INT BIGINT SMALLINT DOUBLE NUMERIC DECIMAL VARCHAR CHAR".split())
VECTOR_TYPES = frozenset("DOUBLE FLOAT DECIMAL INTEGER".split())  # RSQL_tovector
COLLATIONS = {"%EXACT": "BINARY", "EXACT": "BINARY", "%SQLUPPER": "SQLUPPER", "SQLUPPER": "SQLUPPER"}  # GSQL_collation

RESERVED = frozenset(
    # RSQL_reservedwords, the words without a percent sign
    "ABSOLUTE ADD ALL ALLOCATE ALTER AND ANY ARE AS ASC ASSERTION AT AUTHORIZATION AVG BEGIN BETWEEN BIT "
    "BIT_LENGTH BOTH BY CASCADE CASE CAST CHAR CHARACTER CHARACTER_LENGTH CHAR_LENGTH CHECK CLOSE COALESCE "
    "COLLATE COMMIT CONNECT CONNECTION CONSTRAINT CONSTRAINTS CONTINUE CONVERT CORRESPONDING COUNT CREATE CROSS "
    "CURRENT CURRENT_DATE CURRENT_TIME CURRENT_TIMESTAMP CURRENT_USER CURSOR DATE DEALLOCATE DEC DECIMAL DECLARE "
    "DEFAULT DEFERRABLE DEFERRED DELETE DESC DESCRIBE DESCRIPTOR DIAGNOSTICS DISCONNECT DISTINCT DOMAIN DOUBLE "
    "DROP ELSE END ENDEXEC ESCAPE EXCEPT EXCEPTION EXEC EXECUTE EXISTS EXTERNAL EXTRACT FALSE FETCH FIRST FLOAT "
    "FOR FOREIGN FOUND FROM FULL GET GLOBAL GO GOTO GRANT GROUP HAVING HOUR IDENTITY IMMEDIATE IN INDICATOR "
    "INITIALLY INNER INPUT INSENSITIVE INSERT INT INTEGER INTERSECT INTERVAL INTO IS ISOLATION JOIN LANGUAGE LAST "
    "LEADING LEFT LEVEL LIKE LOCAL LOWER MATCH MAX MIN MINUTE MODULE NAMES NATIONAL NATURAL NCHAR NEXT NO NOT "
    "NULL NULLIF NUMERIC OCTET_LENGTH OF ON ONLY OPEN OPTION OR OUTER OUTPUT OVERLAPS PAD PARTIAL PREPARE "
    "PRESERVE PRIMARY PRIOR PRIVILEGES PROCEDURE PUBLIC READ REAL REFERENCES RELATIVE RESTRICT REVOKE RIGHT ROLE "
    "ROLLBACK ROWS SCHEMA SCROLL SECOND SECTION SELECT SESSION_USER SET SHARD SMALLINT SOME SPACE SQLERROR "
    "SQLSTATE STATISTICS SUBSTRING SUM SYSDATE SYSTEM_USER TABLE TEMPORARY THEN TIME TIMEZONE_HOUR "
    "TIMEZONE_MINUTE TO TOP TRAILING TRANSACTION TRIM TRUE UNION UNIQUE UPDATE UPPER USER USING VALUES VARCHAR "
    "VARYING WHEN WHENEVER WHERE WITH WORK WRITE".split()
)
"""Words that name nothing unless quoted. The stored copies of the page end at NATURAL; the rest is from memory."""

UNDOCUMENTED = frozenset(
    "CONFLICT RETURNING GLOB REGEXP INDEXED NOTNULL OFFSET NULLS FILTER OVER WITHOUT ROWID _ROWID_ OID EXCLUDED".split()
)
"""Words of SQLite that IRIS is not documented to know."""
