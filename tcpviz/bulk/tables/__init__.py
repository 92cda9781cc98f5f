"""A capture's connections as a table: asked, sorted, sifted and looked at."""
