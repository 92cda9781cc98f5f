"""Long connections: the core is carried over what is plain, and given the rest."""
