"""How many refused rows may be set aside, by all processes that load a run together."""

from __future__ import annotations

from migrations_ui import claims
from migrations_ui.engine.chunks import Chunk
from migrations_ui.engine.rejecting import Allowance
from migrations_ui.participant import Participant


class SharedAllowance(Allowance):
    """Counted in the control tables, chunk by chunk: what a dead process had goes with it."""

    def __init__(self, participant: Participant, limit: int) -> None:
        super().__init__(limit)
        self.participant = participant

    def of(self, part: Chunk) -> Allowance:
        return ChunkAllowance(self.participant, part, self.limit)


class ChunkAllowance(Allowance):
    """What the rows of one chunk take of it."""

    def __init__(self, participant: Participant, chunk: Chunk, limit: int) -> None:
        super().__init__(limit)
        self.run_id = participant.run_id
        self.holder = participant.holder
        self.pk = participant.pk_of(chunk)

    def take(self) -> bool:
        return self.limit > 0 and claims.set_aside(self.run_id, self.pk, self.holder, self.limit)

    def give_back(self, rows: int) -> None:
        if rows:
            claims.give_back(self.pk, self.holder)
