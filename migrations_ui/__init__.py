"""The reusable app: runs, audits, the pages and commands, and the engine that moves the rows."""
