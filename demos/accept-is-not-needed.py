"""A scenario of tcpviz; CONTRIBUTING.md tells its words."""

TITLE = "accept() is no part of the handshake"
SECTION = "queues"
SHOWS = (
    "The server's program calls listen() and never accept(). Its kernel completes the"
    " handshake all the same, and takes the client's data: the connection waits in the accept"
    " queue."
)
ASK = (
    "Which of connect(), listen() and accept() sends a segment? What can the client tell of"
    " the server's program?"
)
CLIENT = ["SYN-SENT", "ESTABLISHED"]
SERVER = ["LISTEN", "SYN-RECEIVED", "ESTABLISHED"]
STEPS = [
    (
        "client returns connect",
        "Nobody has called accept(). Will connect() return?",
        (
            "Yes: the server's kernel completes the handshake. accept() only fetches what "
            "is complete already."
        ),
    ),
    (
        "client sends data",
        "The client sends to a program that does not ask for anything. Will it be acknowledged?",
        "Yes, by the kernel, for which the data waits in the connection's receive buffer.",
    ),
]


def run(lab):
    """Play it."""
    client, server = lab.client, lab.server

    server.socket()
    server.bind()
    server.listen(2)  # and the program does nothing more

    client.socket()
    client.connect()  # returns
    client.send("is anybody there")  # and this is acknowledged
    lab.wait(0.3)
