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
