"""An app that cuts tables into chunks of a few hundred rows, whatever process it is in."""
