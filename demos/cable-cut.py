"""A scenario of tcpviz; CONTRIBUTING.md tells its words."""

TITLE = "The cable is cut, and mended"
SECTION = "loss"
SHOWS = (
    "For a while nothing gets through. The client repeats its data after one second, after"
    " two more, after four more; then the cable is whole again, and the connection goes on as"
    " if nothing had been."
)
ASK = (
    "Did either program notice? When does data arrive again after the cable is mended, and"
    " why not at once?"
)
CLIENT = ["SYN-SENT", "ESTABLISHED"]
SERVER = ["LISTEN", "SYN-RECEIVED", "ESTABLISHED"]
NEEDS = "cable"
STEPS = [
    (
        "client loses data",
        "The cable is cut. Who notices, and when?",
        (
            "The client's kernel, when no ACK has come by the time its timer runs out; no "
            "program is told."
        ),
    ),
    (
        "server gets data",
        "The cable has been whole again for a while. Why does the data come only now?",
        (
            "The kernel does not know that it is whole: it waits for its timer, and each "
            "wait is twice as long as the one before."
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

    server.recv()
    lab.cable.cut()
    client.send("hello")
    lab.wait(2.5)  # repeated once, in vain
    lab.cable.mend()
    server.wait()
