"""A scenario of tcpviz; CONTRIBUTING.md tells its words."""

TITLE = "No answer at all"
SECTION = "timers"
SHOWS = (
    "Every SYN dies on the way. The client's kernel sends it again, and again, and gives up:"
    " connect() fails with ETIMEDOUT. Linux usually tries for about two minutes; here the"
    " program allows three seconds."
)
ASK = (
    "How does this differ from a refused connection, for the user and on the wire? What may"
    " have happened to the server?"
)
CLIENT = ["SYN-SENT", "CLOSED"]
SERVER = ["LISTEN"]
NEEDS = "cable"
STEPS = [
    (
        "client loses SYN",
        "The SYN dies on the way. What does the user see?",
        "Nothing: connect() waits. Silence and a slow network look the same.",
    ),
    (
        "client CLOSED",
        "The kernel gives up. Which error does the program get?",
        "ETIMEDOUT. ECONNREFUSED would have meant that somebody answered.",
    ),
]


def run(lab):
    """Play it."""
    client, server = lab.client, lab.server

    server.socket()
    server.bind()
    server.listen()

    lab.cable.drop("client", "SYN", 99)
    client.socket()
    client.setsockopt("TCP_USER_TIMEOUT", 2500)  # ms; instead of net.ipv4.tcp_syn_retries
    client.connect()
    client.wait()  # ETIMEDOUT
    client.close()
