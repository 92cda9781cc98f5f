"""Many short flows with something irregular in them: the core is taken past what is plain."""
