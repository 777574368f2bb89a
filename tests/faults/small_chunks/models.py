"""No models: this is what Django imports of every app once all apps are known."""

from __future__ import annotations

from migrations_ui.engine import chunks

chunks.CHUNK_BYTES = 128 * 1024
