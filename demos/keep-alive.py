"""A scenario of tcpviz; CONTRIBUTING.md tells its words."""

TITLE = "Keep-alive finds a dead peer"
SECTION = "timers"
SHOWS = (
    "Nothing has been said for a while, so the kernel asks: an empty segment with an old"
    " number, which the other end must answer. The first is answered. Then the cable is cut,"
    " and after two without an answer recv() fails with ETIMEDOUT."
)
ASK = "Why must the probe have an old number? Who would have noticed without keep-alive, and when?"
CLIENT = ["SYN-SENT", "ESTABLISHED", "CLOSED"]
SERVER = ["LISTEN", "SYN-RECEIVED", "ESTABLISHED"]
NEEDS = "cable"
STEPS = [
    (
        "client sends ACK",
        "",
        "The handshake's third segment. Then both programs are silent.",
    ),
    (
        "client sends ACK",
        "Nothing has been said for a second. Which number does the kernel's question carry?",
        "One less than the next: an old number, which the other end has to answer.",
    ),
    (
        "client loses ACK",
        "Now the cable is cut. How many questions are asked before the kernel gives up?",
        "As many as TCP_KEEPCNT says: two here, nine usually, 75 seconds apart.",
    ),
    (
        "client returns recv",
        "What does recv() say?",
        "ETIMEDOUT: the other end is gone, and nobody knows since when.",
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

    client.setsockopt("TCP_KEEPIDLE", 1)  # seconds; usually two hours
    client.setsockopt("TCP_KEEPINTVL", 1)
    client.setsockopt("TCP_KEEPCNT", 2)
    client.setsockopt("SO_KEEPALIVE")
    client.recv()
    lab.wait(1.5)  # one probe, and its answer

    lab.cable.drop("client", "any", 99)  # the cable is cut
    lab.cable.drop("server", "any", 99)
    client.wait()  # ETIMEDOUT
    client.close()
