"""A scenario of tcpviz; CONTRIBUTING.md tells its words."""

TITLE = "close() with unread data"
SECTION = "resets"
SHOWS = (
    "The server closes while data that it has not read lies in its buffer. The client must"
    " learn that its data was lost: close() sends a RST, not a FIN."
)
ASK = (
    "Did the server lose data, or did it throw it away? What would the client believe if it"
    " got a FIN instead?"
)
CLIENT = ["SYN-SENT", "ESTABLISHED", "CLOSED"]
SERVER = ["LISTEN", "SYN-RECEIVED", "ESTABLISHED", "CLOSED"]
NEEDS = "cable"
STEPS = [
    (
        "server gets data",
        "28 bytes arrive and are acknowledged. Has the program got them?",
        "No: they lie in the receive buffer. An ACK comes from the kernel, not from the program.",
    ),
    (
        "server sends RST",
        "The program closes without reading. Why not simply a FIN?",
        "A FIN would say: all is well. The client must learn that its data was thrown away.",
    ),
]


def run(lab):
    """Play it."""
    client, server = lab.client, lab.server

    server.socket()
    server.bind()
    server.listen()
    server.accept()  # blocks until there is a connection

    client.socket()
    client.connect()

    client.send("a question that nobody reads")
    client.recv()  # blocks; then ECONNRESET
    server.close()  # unread data: RST instead of FIN
    client.close()
