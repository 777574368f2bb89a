"""Little host projects, each somebody else's Django site in one respect."""
