"""The screens in a browser: a small web server, and a program of its own for each visitor."""
