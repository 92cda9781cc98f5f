"""Where bytes come from: files, pipes, interfaces."""
