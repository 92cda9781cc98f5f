"""A scenario of tcpviz; CONTRIBUTING.md tells its words."""

TITLE = "Open, talk, close"
SECTION = "opening"
SHOWS = (
    "A line goes to the server and comes back. Sequence numbers count its bytes;"
    " SYN and FIN count as one each."
)
ASK = (
    "By how much does the sequence number grow with each send()? Which segments carry no data"
    " and yet take a number?"
)
CLIENT = ["SYN-SENT", "ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2", "TIME-WAIT"]
SERVER = ["LISTEN", "SYN-RECEIVED", "ESTABLISHED", "CLOSE-WAIT", "LAST-ACK", "CLOSED"]


def run(lab):
    """Play it."""
    client, server = lab.client, lab.server

    server.socket()
    server.bind()
    server.listen()
    server.accept()  # blocks until there is a connection

    client.socket()
    client.connect()

    server.recv()  # blocks until something comes
    client.send("hello, server")
    server.send(server.received)
    client.recv()

    server.recv()
    client.close()
    server.close()
