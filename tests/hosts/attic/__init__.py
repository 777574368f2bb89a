"""A host with settings of another age: no accounts, no time zones, migrations somewhere else."""
