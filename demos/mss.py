"""A scenario of tcpviz; CONTRIBUTING.md tells its words."""

TITLE = "The maximum segment size"
SECTION = "windows"
SHOWS = (
    "Each end tells in its SYN how large a segment it can take. The server says 536, so the"
    " client cuts its 2000 bytes into pieces of 524: the 12 bytes of the timestamps option count"
    " as well."
)
ASK = "The link could carry 1460 bytes. Who decides, and may both directions differ?"
CLIENT = ["SYN-SENT", "ESTABLISHED"]
SERVER = ["LISTEN", "SYN-RECEIVED", "ESTABLISHED"]
NEEDS = "cable"
STEPS = [
    (
        "server sends SYN,ACK",
        "The server can take 536 bytes. Where does it say so?",
        "In the MSS option of its SYN,ACK; each end tells its own.",
    ),
    (
        "client sends data",
        "Two thousand bytes are to be sent. How much does the first segment carry?",
        "524: 12 of the 536 go to the timestamps option.",
    ),
]


def run(lab):
    """Play it."""
    client, server = lab.client, lab.server

    server.socket()
    server.setsockopt("TCP_MAXSEG", 536)
    server.bind()
    server.listen()
    server.accept()

    client.socket()
    client.connect()
    client.send(bytes(2000))
    server.recv()
    lab.wait(0.3)
