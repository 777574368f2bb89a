"""What preflight looks at, one subject a module; each check yields findings and changes nothing."""
