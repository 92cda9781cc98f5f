"""What may stand behind each command on the command line."""

from __future__ import annotations

import argparse

from tcpviz import output_arguments, point_arguments, presenter_arguments
from tcpviz.argument_values import THEMES, Parser, number, pace, size, whole

Commands = argparse._SubParsersAction  # argparse has no public name for it


def _screen_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("screen")
    group.add_argument("--ascii", action="store_true", help="draw with ASCII characters only")
    group.add_argument(
        "--theme",
        metavar="NAME",
        choices=THEMES,
        help="dark, light, contrast (7 to 1), safe (for colour-blind eyes), ansi (the terminal's "
        "own 16 colours) or mono (the d key goes through them)",
    )
    group.add_argument("--no-mouse", action="store_true", help="leave the mouse to the terminal")
    group.add_argument(
        "--fps",
        type=whole("N", 1, 60),
        metavar="N",
        help="draw at most N times a second (by itself 10; over SSH every 0.75 s, keys sooner)",
    )
    language_option(group)
    group.add_argument(
        "--plain", action="store_true", help="explain in plain words, as a talk at a door (W key)"
    )
    group.add_argument(
        "--predict",
        action="store_true",
        help="stop before each segment and state change and ask what comes next (P key)",
    )


def language_option(parser: argparse._ActionsContainer) -> None:
    """``--lang``."""
    parser.add_argument(
        "--lang",
        choices=("en", "zh"),
        help="English or Simplified Chinese (default: what the locale says, on the screen)",
    )


def _form(parser: argparse.ArgumentParser, *forms: str) -> None:
    texts = {
        "text": "print the story as text (the default where standard output is no terminal)",
        "json": "print one JSON object a line",
        "csv": "print the connections as CSV",
    }
    group = parser.add_mutually_exclusive_group()
    for form in forms:
        group.add_argument(f"--{form}", action="store_true", help=texts[form])


def _demo(commands: Commands[Parser]) -> None:
    parser = commands.add_parser(
        "demo",
        help="a real client and a real server, every segment and call shown",
        description="Run a scenario: a real client and server on the real kernel, with every "
        "segment between them, every socket call, and the kernel's own states beside it. "
        "Needs no privilege and no set-up. What was over in a moment is played back at a pace "
        "that a person can follow.",
        epilog="tcpviz demo --list shows the scenarios. A scenario is a short Python script; "
        "a path to one of your own works too.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "scenario",
        nargs="?",
        metavar="SCENARIO|FILE.py",
        help="a name from --list, or a script (default: echo)",
    )
    parser.add_argument("--list", action="store_true", help="list the scenarios")
    parser.add_argument(
        "--gallery",
        metavar="OUT.html",
        help="write one page with every state of the screen in every theme (or in --theme's), "
        "each from a run made for it; takes a minute or two",
    )
    parser.add_argument(
        "--check",
        nargs="*",
        metavar="NAME|all",
        help="run scenarios without a screen and compare what is inferred, what the kernels say "
        "and what the script expects at every step; exit code 1 if they differ (default: all)",
    )
    own = parser.add_argument_group(
        "programs of your own",
        "Any two, in any language, run through sh on the two hosts. TCPVIZ_SERVER, TCPVIZ_PORT "
        "and TCPVIZ_CLIENT in their environment tell where. With strace installed their socket "
        "calls are shown. Example: --server 'python3 -m http.server $TCPVIZ_PORT' "
        "--client 'curl -s http://$TCPVIZ_SERVER:$TCPVIZ_PORT/'",
    )
    own.add_argument("--server", metavar="CMD", help="what runs on the server")
    own.add_argument("--client", metavar="CMD", help="what runs on the client")
    _form(parser, "text", "json")
    parser.add_argument(
        "-w",
        dest="write",
        metavar="OUT.pcapng",
        help="save the run: for Wireshark its segments, for tcpviz read everything",
    )
    parser.add_argument(
        "--on",
        choices=("cable", "loopback", "kernel"),
        help="the ground: two hosts and a cable (default), the loopback interface, or plain "
        "sockets with the kernel's states alone",
    )
    cable = parser.add_argument_group("the cable between the two hosts")
    cable.add_argument(
        "--step",
        action="store_true",
        help="step mode: each segment waits in your hand until Space (or a clicker) lets it go; "
        "it may also be dropped, doubled, delayed, put behind the next one or corrupted",
    )
    cable.add_argument(
        "--live",
        action="store_true",
        help="watch it as it happens instead of played back",
    )
    cable.add_argument(
        "--delay",
        type=number("MS", 0, 60_000),
        metavar="MS",
        help="milliseconds that each segment takes one way (default 5); the screen is then "
        "live, and [ and ] change it",
    )
    cable.add_argument(
        "--loss",
        type=number("PERCENT", 0, 100),
        metavar="PERCENT",
        help="so many of the segments die by chance",
    )
    cable.add_argument(
        "--jitter",
        type=number("MS", 0, 60_000),
        metavar="MS",
        help="up to so many milliseconds longer each takes, by chance",
    )
    cable.add_argument(
        "--seed",
        type=whole("N", 0, 2**32),
        default=1,
        metavar="N",
        help="of that chance: the same again with the same one (default 1)",
    )
    parser.add_argument(
        "--pace", type=pace, metavar="SECONDS", help="seconds a step in playback (default 1.2)"
    )
    parser.add_argument("-6", dest="ipv6", action="store_true", help="use IPv6")
    # Else -5 behind --delay would be an option, too, and not a number that cannot be.
    parser._has_negative_number_optionals.clear()
    presenter_arguments.teaching(parser)
    _screen_options(parser)
    presenter_arguments.browser(parser)


def _capture(commands: Commands[Parser]) -> None:
    parser = commands.add_parser(
        "capture",
        help="this machine's traffic, live",
        description="Capture live. Without -i: the interface with the default route, or all. "
        "Words at the end are a BPF filter as tcpdump's (put it behind -- if it begins with a "
        "dash); without one, all TCP.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "-i",
        dest="interfaces",
        metavar="IFACE",
        action="append",
        help="an interface, or any; may be given more than once",
    )
    parser.add_argument("-D", dest="list", action="store_true", help="list the interfaces")
    parser.add_argument(
        "-s",
        dest="snaplen",
        type=whole("SNAPLEN", 0, 262144),
        default=128,
        metavar="SNAPLEN",
        help="bytes kept of each packet (default 128: headers only; 0: all)",
    )
    parser.add_argument(
        "-c",
        dest="count",
        type=whole("COUNT", 1, 2**63),
        metavar="COUNT",
        help="stop after so many packets",
    )
    parser.add_argument("-w", dest="write", metavar="OUT", help="save the packets as pcapng")
    output_arguments.saving(parser)
    output_arguments.until(parser)
    _form(parser, "text", "json", "csv")
    parser.add_argument(
        "--filter",
        metavar="WORDS",
        help="show only the connections that fit this display filter (tcpviz help filter); "
        "all are captured",
    )
    parser.add_argument(
        "--with-ssh",
        action="store_true",
        help="show the SSH session too in which tcpviz itself runs (left out otherwise)",
    )
    parser.add_argument(
        "--no-troubles",
        action="store_true",
        help="do not open on the list of troubles, if there are any; ! shows it",
    )
    parser.add_argument(
        "--memory",
        type=size,
        default=256 << 20,
        metavar="SIZE",
        help="what the screen and its helpers may take of the machine's memory (default 256M); "
        "beyond that the oldest is forgotten, and counted",
    )
    where = parser.add_argument_group("where to look")
    where.add_argument(
        "--pid",
        type=whole("PID", 1, 2**22),
        metavar="PID",
        help="the process's network namespace, and only its connections",
    )
    where.add_argument(
        "--process",
        metavar="NAME",
        help="the same for the processes of that name",
    )
    where.add_argument(
        "--netns",
        metavar="NAME|PATH",
        help="a network namespace, by its name of ip netns or a path",
    )
    where.add_argument(
        "--container",
        metavar="ID|NAME",
        help="a container's network namespace, by the beginning of its id or its name",
    )
    where.add_argument(
        "--processes",
        action="store_true",
        help="tell whose new connections are also for other users' processes: for that one "
        "helper process, which sees no packet, keeps CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH",
    )
    parser.rest = "bpf"
    parser.add_argument(
        "bpf",
        nargs="*",
        metavar="[ssh://HOST] BPF WORDS",
        help="such as: tcp port 8000; ssh://[user@]host[:port][/iface] in front captures there",
    )
    point_arguments.other(parser, live=True)
    point_arguments.serving(parser)
    output_arguments.outlets(parser, live=True)
    _screen_options(parser)


def _read(commands: Commands[Parser]) -> None:
    parser = commands.add_parser(
        "read",
        help="a capture file, or standard input",
        description="Read a capture: pcap or pcapng, plain or compressed, a file or a pipe that "
        "is still growing (-). Words at the end are a display filter, such as: port:443 "
        "state:close-wait (tcpviz help filter tells more).",
        allow_abbrev=False,
    )
    parser.add_argument("file", metavar="FILE|-", help="the capture; - for standard input")
    parser.rest = "words"
    parser.add_argument(
        "words",
        nargs="*",
        default=[],  # or they would be called required
        metavar="FILTER WORDS",
        help="such as: port:443 or 'rtt>200ms'",
    )
    _form(parser, "text", "json", "csv")
    parser.add_argument(
        "--troubles",
        action="store_true",
        help="print what goes wrong among all connections, by where and how often (! on the "
        "screen)",
    )
    parser.add_argument(
        "--ladder",
        type=whole("N", 1, 2**63),
        metavar="N",
        help="print connection N's sequence chart",
    )
    parser.add_argument(
        "--segments",
        metavar="EXPR",
        help="print the segments that fit, of all connections, a line each (or --json): "
        "mark:retransmission, 'flags:rst ttl<10', remark:ce (tcpviz help filter)",
    )
    output_arguments.large(parser)
    output_arguments.until(parser)
    output_arguments.outlets(parser, live=False)
    point_arguments.other(parser)
    _screen_options(parser)
    presenter_arguments.browser(parser)


def _doctor(commands: Commands[Parser]) -> None:
    commands.add_parser(
        "doctor",
        help="what this machine allows, and how to get more",
        description="Try what tcpviz would like to use (capture, namespaces, netlink, the "
        "terminal) and tell what works, and for what does not, how to get it.",
        allow_abbrev=False,
    )


def _notes(commands: Commands[Parser]) -> None:
    parser = commands.add_parser(
        "notes",
        help="a teacher's notes on a second terminal, while tcpviz demo --notes runs",
        description="Show what the class must not see, step by step: the question and its answer, "
        "what comes next, what to ask. Begin it before or after tcpviz demo --notes, on a terminal "
        "that only you see; Ctrl-C ends it.",
        allow_abbrev=False,
    )
    presenter_arguments.notes(parser)


def _export(commands: Commands[Parser]) -> None:
    parser = commands.add_parser(
        "export",
        help="one connection as a picture, a page, a diagram's source, a ticket, a slice",
        description="Write one connection of a capture, or of a scenario (demo:handshake), in a "
        "form that other programs take. The form follows from the name behind -o: .svg, .html, "
        ".md (for a ticket), .mmd (Mermaid), .puml (PlantUML), .txt, .json, .pcapng (its packets).",
        allow_abbrev=False,
    )
    parser.add_argument("file", metavar="FILE|-|demo:SCENARIO", help="where the connection is")
    point_arguments.other(parser)
    parser.add_argument(
        "-n",
        dest="number",
        type=whole("N", 1, 2**63),
        metavar="N",
        help="which connection, by its number in the list (needless where there is only one)",
    )
    parser.add_argument(
        "-o", dest="out", default="-", metavar="OUT", help="the file (default: standard output)"
    )
    parser.add_argument(
        "--to",
        dest="form",
        choices=("svg", "html", "markdown", "mermaid", "plantuml", "text", "json", "pcapng"),
        help="the form, where the name does not tell it",
    )
    parser.add_argument(
        "--what",
        choices=("chart", "diagram"),
        default="chart",
        help="the sequence chart, or the state diagram with the way that both ends took (svg, "
        "text)",
    )
    parser.add_argument(
        "--redact",
        nargs="?",
        const="yes",
        choices=("yes", "all"),
        help="other addresses and ports in place of the real ones, without the data; =all: "
        "well-known ports too",
    )
    parser.add_argument(
        "--notation",
        choices=("relative", "absolute", "symbolic"),
        default="relative",
        help="how sequence numbers are written in charts; symbolic: J, K, M, N as in textbooks",
    )
    parser.add_argument("--theme", choices=("light", "dark"), help="of pictures (default: light)")
    parser.add_argument("--ascii", action="store_true", help="text with ASCII characters only")


def _config(commands: Commands[Parser]) -> None:
    parser = commands.add_parser(
        "config",
        help="your own defaults and keys: where they stand, and whether they are in order",
        description="Tell which file holds your own defaults (options by their long names) and "
        "keys, and check it. TCPVIZ_CONFIG names another file.",
        allow_abbrev=False,
    )
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--path", action="store_true", help="print where the file is looked for")
    group.add_argument(
        "--example", action="store_true", help="print all that may stand there, as comments"
    )


def _completion(commands: Commands[Parser]) -> None:
    parser = commands.add_parser(
        "completion",
        help="what makes your shell complete tcpviz's words",
        description="Print a completion script. bash: tcpviz completion bash > "
        "~/.local/share/bash-completion/completions/tcpviz; zsh: into a folder of $fpath, as "
        "_tcpviz; fish: tcpviz completion fish > ~/.config/fish/completions/tcpviz.fish; "
        "tcsh: into a file that ~/.tcshrc sources.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "shell", choices=("bash", "zsh", "fish", "tcsh"), metavar="bash|zsh|fish|tcsh"
    )


BUILDERS = (_demo, _capture, _read, _export, _notes, _doctor, _config, _completion)
"""One for each command, in the order of the help."""
