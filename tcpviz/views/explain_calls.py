"""What each socket call does, and what its return says: texts by call and by result.

``{Who}``/``{who}`` makes the call, ``{peer}`` is the other end, ``{args}`` and
``{result}`` are as the record has them, ``{count}`` a number of bytes.
"""

from __future__ import annotations

from typing import Final

CALLED: Final[dict[str, str]] = {
    "socket": (
        "{Who} asks its kernel for a socket: a descriptor without addresses, in state CLOSED; "
        "nothing is sent."
    ),
    "bind": (
        "{Who} names its own address and port ({args}); a server must, a client mostly leaves the "
        "choice to its kernel."
    ),
    "listen": (
        "{Who} makes its socket a listening one ({args}): the argument limits how many finished "
        "connections may wait for accept()."
    ),
    "accept": (
        "{Who} calls accept(): it blocks until a handshake is complete. The handshake itself does "
        "not need it."
    ),
    "connect": (
        "{Who} calls connect({args}): its kernel will send a SYN, and the call blocks until the "
        "answer is there."
    ),
    "send": (
        "{Who} calls send({args}): the bytes go into its kernel's send buffer; the kernel decides "
        "when and in which segments they leave."
    ),
    "recv": (
        "{Who} calls recv({args}): it blocks until there is at least one byte, the end of file or "
        "an error."
    ),
    "shutdown": (
        "{Who} calls shutdown({args}): one direction ends, the descriptor stays. SHUT_WR sends "
        "the FIN once all data is out."
    ),
    "close": (
        "{Who} calls close(): the descriptor goes at once, the connection later; the kernel sends "
        "what is left, then the FIN, on its own."
    ),
    "close-passive": (
        "{Who} calls close() after {peer} did: its kernel sends what is left, then its own FIN "
        "(passive close)."
    ),
    "close-bare": (
        "{Who} closes a socket without a connection: the descriptor goes at once. A listening one "
        "leaves accepted connections as they are."
    ),
    "setsockopt": "{Who} sets an option of its socket: {args}.",
    "getsockopt": "{Who} asks for an option of its socket: {args}.",
    "poll": "{Who} waits until one of its sockets is ready: {args}.",
    "abort": "{Who} gives the connection up at once ({args}): a RST will tell {peer}.",
}
ALIASES: Final[dict[str, str]] = {
    "accept4": "accept",
    "recvfrom": "recv",
    "recvmsg": "recv",
    "read": "recv",
    "readv": "recv",
    "sendto": "send",
    "sendmsg": "send",
    "sendall": "send",
    "sendfile": "send",
    "write": "send",
    "writev": "send",
    "select": "poll",
    "pselect": "poll",
    "ppoll": "poll",
    "epoll_wait": "poll",
}
"""Calls that mean the same to a connection."""

CALLED_OTHER: Final = "{Who} calls {name}({args})."

RETURNED: Final[dict[str, str]] = {
    "socket": "{Who} has a socket: {result}. It has no address and no state worth the name yet.",
    "bind": "{Who}'s socket has its address now; nothing is sent, and nobody is let in yet.",
    "listen": (
        "{Who} listens: from now on its kernel completes handshakes by itself, up to the queue's "
        "limit, whether or not anybody calls accept()."
    ),
    "accept": (
        "accept() returns a new socket ({result}): the handshake was over with the third segment. "
        "The listening socket stays as it is."
    ),
    "connect": (
        "connect() returns 0: the SYN,ACK, the second segment, was enough. {Peer} may still await "
        "the third."
    ),
    "send": (
        "send() returns: {result} are copied into the send buffer. That does not say that they "
        "have been sent, let alone received."
    ),
    "recv": (
        "recv() returns {result}: what had arrived in order. How the sender cut it into send() "
        "calls or segments does not show; TCP is a stream."
    ),
    "recv-eof": (
        "recv() returns 0: end of file. {Peer} has sent its FIN, and everything before it has been "
        "read."
    ),
    "shutdown": (
        "shutdown() returns at once; that direction is over as soon as the FIN is out, the other "
        "one still works."
    ),
    "close": (
        "close() returns at once: for {who}'s program the connection is over, while its kernel "
        "still has to end it properly."
    ),
    "connect-crossing": (
        "connect() returns 0: both ends' SYNs crossed and both are acknowledged; it is one "
        "connection with two clients."
    ),
    "close-reset": "close() returns, and with the RST the connection is over at once.",
    "close-bare": "close() returns: {who}'s descriptor is gone.",
    "setsockopt": "The option is set.",
    "getsockopt": "getsockopt() returns {result}.",
    "poll": "The wait is over: {result}.",
    "abort": "The connection is given up; {who} has no socket any more.",
}
RETURNED_OTHER: Final = "{name}() returns {result}."

FAILED: Final[dict[str, str]] = {
    "connect/ECONNREFUSED": (
        "connect() fails with ECONNREFUSED: the SYN was answered with a RST, so the host is there "
        "and nobody listens on that port."
    ),
    "connect/ETIMEDOUT": (
        "connect() fails with ETIMEDOUT: no answer to any of the SYNs; the host is down, the way "
        "broken, or a firewall silent."
    ),
    "connect/EINPROGRESS": (
        "connect() returns EINPROGRESS: the socket does not block, the SYN is on its way, and the "
        "socket becomes writable when it is answered."
    ),
    "connect/EALREADY": "connect() fails with EALREADY: an earlier one is still under way.",
    "connect/EISCONN": (
        "connect() fails with EISCONN: this socket has a connection already, or listens."
    ),
    "connect/EADDRNOTAVAIL": (
        "connect() fails with EADDRNOTAVAIL: no local port is free towards that address, often "
        "because too many are in TIME-WAIT."
    ),
    "connect/ECONNRESET": (
        "connect() fails with ECONNRESET: a RST came after the handshake had begun to succeed."
    ),
    "bind/EADDRINUSE": (
        "bind() fails with EADDRINUSE: another socket has the port, or old connections in "
        "TIME-WAIT still do; SO_REUSEADDR helps against the latter."
    ),
    "bind/EADDRNOTAVAIL": "bind() fails with EADDRNOTAVAIL: no interface here has that address.",
    "bind/EACCES": (
        "bind() fails with EACCES: ports below 1024 (ip_unprivileged_port_start) need a privilege."
    ),
    "listen/EADDRINUSE": (
        "listen() fails with EADDRINUSE: another socket already listens on this port."
    ),
    "accept/EAGAIN": "accept() returns EAGAIN: no finished connection waits, and it may not block.",
    "accept/ECONNABORTED": (
        "accept() fails with ECONNABORTED: the connection was reset while it waited in the queue."
    ),
    "accept/EMFILE": (
        "accept() fails with EMFILE: this process has no descriptor left; connections pile up in "
        "the accept queue."
    ),
    "accept/EINVAL": "accept() fails with EINVAL: this socket does not listen (any more).",
    "send/EPIPE": (
        "send() fails with EPIPE: this direction is shut, or the connection already ended; without "
        "MSG_NOSIGNAL the process also gets SIGPIPE."
    ),
    "send/ECONNRESET": (
        "send() fails with ECONNRESET: {peer} has reset the connection; what was sent before may "
        "or may not have arrived."
    ),
    "send/EAGAIN": (
        "send() returns EAGAIN: the send buffer is full, because {peer} does not read or the "
        "network is slow, and the call may not block."
    ),
    "send/ENOTCONN": "send() fails with ENOTCONN: there is no connection yet.",
    "recv/ECONNRESET": (
        "recv() fails with ECONNRESET: {peer} has ended with a RST instead of a FIN; what was not "
        "read yet is lost."
    ),
    "recv/ETIMEDOUT": (
        "recv() fails with ETIMEDOUT: data or keep-alive probes went unacknowledged until the "
        "kernel gave up."
    ),
    "recv/EAGAIN": "recv() returns EAGAIN: nothing has arrived, and the call may not block.",
    "recv/ENOTCONN": "recv() fails with ENOTCONN: there is no connection.",
    "shutdown/ENOTCONN": (
        "shutdown() fails with ENOTCONN: the connection is gone, or never was; mostly {peer} has "
        "reset it."
    ),
}
"""By call and error; what is not here is told by :data:`ERRORS`."""

ERRORS: Final[dict[str, str]] = {
    "ECONNREFUSED": "nobody listens there: a RST was the answer",
    "ECONNRESET": "the other end has reset the connection",
    "ECONNABORTED": "the connection was aborted on this side",
    "ETIMEDOUT": "no acknowledgement came until the kernel gave up",
    "EPIPE": "this direction is closed already",
    "EADDRINUSE": "the address and port are taken",
    "EADDRNOTAVAIL": "that address or port is not to be had here",
    "EACCES": "that is not permitted to this process",
    "EPERM": "that is not permitted, perhaps by a firewall rule",
    "EINPROGRESS": "it is under way, and the socket does not block",
    "EALREADY": "the same is under way already",
    "EAGAIN": "it would have to wait, and the socket does not block",
    "EINTR": "a signal interrupted it; it may be made again",
    "ENOTCONN": "the socket has no connection",
    "EISCONN": "the socket has a connection already",
    "EHOSTUNREACH": "there is no way to that host (a router said so, or nobody answers ARP)",
    "ENETUNREACH": "no route leads to that network",
    "EHOSTDOWN": "the host does not answer on its link",
    "ENETDOWN": "the interface is down",
    "EMFILE": "the process has no descriptor left",
    "ENFILE": "the system has no descriptor left",
    "ENOBUFS": "the kernel has no memory for it",
    "ENOMEM": "the kernel has no memory for it",
    "EINVAL": "the arguments, or the socket's state, do not allow it",
    "EBADF": "that descriptor is not open",
    "ENOTSOCK": "that descriptor is no socket",
    "EFAULT": "an argument points nowhere",
    "EDESTADDRREQ": "it lacks a destination",
    "EMSGSIZE": "that is too long for one message",
    "EOPNOTSUPP": "this kind of socket cannot do that",
    "EPROTONOSUPPORT": "the kernel does not have that protocol",
    "EAFNOSUPPORT": "the kernel does not have that kind of address",
    "ENOPROTOOPT": "the kernel does not have that option",
}
FAILED_WITH: Final = "{name}() fails with {result}: {why}."
FAILED_OTHER: Final = "{name}() fails: {result}."
SAME_ERROR: Final = {"EWOULDBLOCK": "EAGAIN"}
