"""The demo: hosts, the cable between them, peers that call real sockets, scenarios."""
