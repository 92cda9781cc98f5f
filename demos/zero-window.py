"""A scenario of tcpviz; CONTRIBUTING.md tells its words."""

TITLE = "The window closes and opens again"
SECTION = "windows"
SHOWS = (
    "The server's program does not read, so its buffer fills and its kernel offers a window"
    " of 0. The client may send nothing more; after a while it asks with a probe whether there"
    " is room again. When the program reads, a window update tells."
)
ASK = "Who would wait for whom for ever, if the window update were lost and there were no probes?"
CLIENT = ["SYN-SENT", "ESTABLISHED"]
SERVER = ["LISTEN", "SYN-RECEIVED", "ESTABLISHED"]
NEEDS = "cable"
STEPS = [
    (
        "client sends data",
        "The server's program does not read. Where does the data go, and until when?",
        (
            "Into the server's receive buffer, until that is full; then the server offers a "
            "window of 0."
        ),
    ),
]


def run(lab):
    """Play it."""
    client, server = lab.client, lab.server

    server.socket()
    server.setsockopt("SO_RCVBUF", 4096)  # a small buffer, before listen()
    server.bind()
    server.listen()
    server.accept()

    client.socket()
    client.connect()
    client.send(bytes(6000))  # more than the server has room for
    lab.wait(1.5)  # a probe, answered with "window 0"
    server.recv()
    server.recv()  # the rest
