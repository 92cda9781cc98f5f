"""From columns to connections: what came in order by its shape, all else by the core."""
