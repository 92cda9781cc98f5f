"""A scenario of tcpviz; CONTRIBUTING.md tells its words."""

TITLE = "Slow start"
SECTION = "windows"
SHOWS = (
    "The client has seventy segments to send, and does not know what the way can carry. It"
    " begins with ten, and for each that is acknowledged it sends two more: 10, 20, 40, each a"
    " round trip later."
)
ASK = (
    "How many round trips would a megabyte take? Who sets the congestion window, and who the"
    " window that is written in the segments?"
)
CLIENT = ["SYN-SENT", "ESTABLISHED"]
SERVER = ["LISTEN", "SYN-RECEIVED", "ESTABLISHED"]
NEEDS = "cable"
STEPS = [
    (
        "client sends data",
        "Seventy segments are ready. How many leave at once?",
        "Ten: the initial congestion window (RFC 6928).",
    ),
    (
        "client gets ACK",
        "A segment is acknowledged. How many may follow it?",
        "Two: one in its place and one more. So the window doubles in each round trip.",
    ),
]


def run(lab):
    """Play it."""
    client, server = lab.client, lab.server

    server.socket()
    server.setsockopt("SO_RCVBUF", 200_000)  # so that the server's window is no limit
    server.bind()
    server.listen()
    server.accept()

    lab.cable.set_delay(200)  # ms: a long way, so that the rounds are told apart
    client.socket()
    client.connect()
    client.send(bytes(70 * 1448))
    lab.wait(1.2)
    server.recv(200_000)
