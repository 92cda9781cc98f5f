"""A scenario of tcpviz; CONTRIBUTING.md tells its words."""

TITLE = "Data that nobody acknowledges"
SECTION = "timers"
SHOWS = (
    "The client's data dies on the way, again and again, and each wait is twice as long. In"
    " the end its kernel gives up: the next call fails with ETIMEDOUT. Linux usually tries for"
    " a quarter of an hour; here the program allows a second and a half."
)
ASK = "Does the server notice anything? In which state is it, and what could help it?"
CLIENT = ["SYN-SENT", "ESTABLISHED", "CLOSED"]
SERVER = ["LISTEN", "SYN-RECEIVED", "ESTABLISHED"]
NEEDS = "cable"
STEPS = [
    (
        "client loses data",
        "send() returned 16. Does that mean that 16 bytes have arrived?",
        "No: it means that the kernel has taken them into its send buffer.",
    ),
    (
        "client CLOSED",
        "The kernel gives up. Who is told, and how?",
        (
            "This program, by its next call: ETIMEDOUT. The server hears nothing: it stays "
            "ESTABLISHED."
        ),
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

    client.setsockopt("TCP_USER_TIMEOUT", 1500)  # ms; instead of net.ipv4.tcp_retries2
    lab.cable.drop("client", "any", 99)
    client.send("is anybody there")
    client.recv()
    client.wait()  # ETIMEDOUT
    client.close()
