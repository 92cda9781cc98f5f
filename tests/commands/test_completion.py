"""The shells' completion: a script that the shell takes, and that knows every command."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from tcpviz.cli import COMMANDS, main


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "tcsh"])
def test_a_script_names_every_command(shell, capsys):
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert all(command in script for command in COMMANDS)


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_bash_completes_a_command(capsys, tmp_path):
    main(["completion", "bash"])
    (tmp_path / "tcpviz").write_text(capsys.readouterr().out)
    ask = (
        f"source {tmp_path}/tcpviz; COMP_WORDS=(tcpviz ex); COMP_CWORD=1; COMP_LINE='tcpviz ex'; "
        "COMP_POINT=9; _shtab_tcpviz tcpviz ex tcpviz; echo ${COMPREPLY[@]}"
    )
    told = subprocess.run(["bash", "-c", ask], capture_output=True, text=True, check=False)
    assert told.stdout.split() == ["export"]


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")
@pytest.mark.parametrize(
    ("begun", "wanted"),
    [
        ("tcpviz ex", {"export"}),
        ("tcpviz read --troub", {"--troubles"}),
        ("tcpviz demo --lang=z", {"--lang=zh"}),
        ("tcpviz completion z", {"zsh"}),
        ("tcpviz read here.pc", {"here.pcap"}),
        ("tcpviz doctor her", set()),
    ],
)
def test_fish_completes_commands_options_words_and_files(begun, wanted, capsys, tmp_path):
    main(["completion", "fish"])
    (tmp_path / "tcpviz.fish").write_text(capsys.readouterr().out)
    (tmp_path / "here.pcap").touch()
    told = subprocess.run(
        ["fish", "--no-config", "-c", f"source tcpviz.fish; complete -C '{begun}'"],
        capture_output=True, text=True, check=True, cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
    )  # fmt: skip
    assert told.stderr == ""
    assert {line.split("\t")[0] for line in told.stdout.splitlines()} == wanted


def test_another_shell_is_refused(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["completion", "ksh"])
    assert ended.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1
