"""Which of the destination's triggers must not fire for rows that are loaded.

They were fired when the site wrote its rows, and what they did then is in the source.  Fired once
more, one that notes down what happens would write rows that are copied as well, and one that
changes a row would change it again.
"""

from __future__ import annotations

from collections.abc import Sequence

from migrations_ui.engine.databases.base import Database
from migrations_ui.engine.databases.triggers import Trigger
from migrations_ui.engine.layout import Layout


def in_the_way(layouts: Sequence[Layout], dest: Database) -> list[Trigger]:
    """The triggers that are to be off while rows of these tables are written.

    Not one that may compute a value which the source does not have: nothing else would.
    """
    found = dest.switchable_triggers([layout.dest_name for layout in layouts])
    columns = dest.columns({trigger.table for trigger in found}) if found else {}
    copied = {
        layout.dest_name: {column.dest.name for column in layout.columns} for layout in layouts
    }
    lacking = {
        table
        for table, its_own in columns.items()
        if any(not one.generated and name not in copied[table] for name, one in its_own.items())
    }
    return [trigger for trigger in found if not (trigger.fills and trigger.table in lacking)]
