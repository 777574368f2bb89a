"""What Cutover's sessions are set to, whatever the server, its `init_connect` or a URL says.

DEFAULT would be the server's own value, so each is named.
"""

from __future__ import annotations

from migrations_ui.engine.databases.access import IDLE_TIMEOUT, LOCK_TIMEOUT, STATEMENT_TIMEOUT

# Seconds that either end may wait for the other.
NET_TIMEOUT = 8 * 3600

# A SELECT gives all its rows, and dirty ones never.
READING = (
    "sql_select_limit=18446744073709551615, sql_big_selects=1, sql_auto_is_null=0,"
    " group_concat_max_len=1048576, sql_quote_show_create=1,"
    # MySQL refuses a recursive query after a thousand steps, MariaDB ends it with a mere warning.
    " /*!80000 cte_max_recursion_depth=4294967295, */"
    " /*M!100202 max_recursive_iterations=4294967295, */"
    " /*M!100304 system_versioning_asof=DEFAULT, */"  # which is now, whatever the server's is
)
# Every row that is written is checked, and COMMIT does nothing else.
WRITING = (
    "unique_checks=1, foreign_key_checks=1, /*M!100201 check_constraint_checks=1, */"
    " completion_type=0"
)
SETTINGS = (
    f"SET SESSION sql_mode='', time_zone='+00:00', net_write_timeout={NET_TIMEOUT},"
    f" net_read_timeout={NET_TIMEOUT}, wait_timeout={NET_TIMEOUT},"
    f" lock_wait_timeout={LOCK_TIMEOUT}, innodb_lock_wait_timeout={LOCK_TIMEOUT},"
    f" sql_notes=1, {READING} {WRITING}"
    # MySQL would answer from statistics that it has kept for a day.
    " /*!80000 , information_schema_stats_expiry=0 */"
    # MariaDB's cache of subqueries takes "A" for "a", which it has looked for before.
    " /*M!50300 , optimizer_switch='subquery_cache=off' */"
    # MySQL has a limit for single SELECTs only.
    f" /*M!100103 , max_statement_time={STATEMENT_TIMEOUT} */"
    f" /*M!100300 , idle_transaction_timeout={IDLE_TIMEOUT} */"
)
