"""What `python3 tcpviz.pyz` runs: unpack once, safely, and go on with what is there.

For an ordinary user it goes to ~/.cache/tcpviz (or XDG_CACHE_HOME), mode 0700. For root it goes to
/var/cache/tcpviz, which root alone may write and everybody read: under sudo the program becomes
its caller, who must be able to read it, and what root runs may not lie where others can write.
A place that is not ours, or that somebody else may write, is not used, and where no place can be
had a temporary one is, for this run alone. TCPVIZ_PYZ_CACHE names another place.

Only the standard library, and Python 3.11 or newer (older ones are told so).
"""

import json
import os
import shutil
import stat
import sys
import tempfile
import zipfile

ARCHIVE = os.path.dirname(os.path.abspath(__file__))


def refuse(text):
    sys.stderr.write("tcpviz: %s\n" % text)
    raise SystemExit(1)


def places():
    """Where it may be unpacked, the best first."""
    told = os.environ.get("TCPVIZ_PYZ_CACHE")
    if told:
        return [told]
    if os.geteuid() == 0:
        return ["/var/cache/tcpviz"]
    base = os.environ.get("XDG_CACHE_HOME")
    if not base or not os.path.isabs(base):
        base = os.path.join(os.path.expanduser("~"), ".cache")
    return [os.path.join(base, "tcpviz")] if os.path.isabs(base) else []


def ours(path):
    """It is a folder of ours that nobody else may write; for an ordinary user, nor read."""
    status = os.lstat(path)
    others = 0o022 if os.geteuid() == 0 else 0o077
    return (
        stat.S_ISDIR(status.st_mode)
        and status.st_uid == os.geteuid()
        and not status.st_mode & others
    )


def unpack(archive, target):
    """All of it, complete before it has its name."""
    folder = os.path.dirname(target)
    beside = tempfile.mkdtemp(prefix=".new-", dir=folder)
    try:
        for entry in archive.infolist():
            if entry.filename.startswith(("site/", "native/")):
                archive.extract(entry, beside)
        if os.geteuid() == 0:
            for where, _, files in os.walk(beside):
                os.chmod(where, 0o755)
                for name in files:
                    os.chmod(os.path.join(where, name), 0o644)
        try:
            os.rename(beside, target)
        except OSError:
            if not os.path.isdir(target):
                raise
            # Another run was faster.
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def forget(folder, current):
    """Other versions that were not used for a month."""
    import time

    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        if name != current and time.time() - os.lstat(path).st_mtime > 30 * 86400:
            shutil.rmtree(path, ignore_errors=True)


def prepared(archive, digest):
    """The folder with everything; made if need be."""
    mode = 0o755 if os.geteuid() == 0 else 0o700
    before = os.umask(0o022 if mode == 0o755 else 0o077)
    try:
        for folder in places():
            try:
                os.makedirs(folder, mode=mode, exist_ok=True)
                target = os.path.join(folder, digest)
                if not ours(folder):
                    sys.stderr.write(
                        "tcpviz: %s is not used: it is not ours alone (owner, or mode)\n" % folder
                    )
                    continue
                if not os.path.isdir(target):
                    sys.stderr.write("tcpviz: unpacking into %s (once)\n" % folder)
                    unpack(archive, target)
                    forget(folder, digest)
                if ours(target):
                    os.utime(target)
                    return target
            except OSError as error:
                sys.stderr.write("tcpviz: %s: %s\n" % (folder, error.strerror))
        import atexit

        folder = tempfile.mkdtemp(prefix="tcpviz-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        if mode == 0o755:
            os.chmod(folder, mode)
        target = os.path.join(folder, digest)
        unpack(archive, target)
        return target
    except OSError as error:
        refuse("cannot be unpacked: %s" % error.strerror)
    finally:
        os.umask(before)


def fits(about):
    """The compiled parts are for this Python and this system."""
    import platform
    import sysconfig

    return (
        about["python"] == sys.implementation.cache_tag
        and about["platform"] == sysconfig.get_platform()
        and about["libc"] == platform.libc_ver()[0]
    )


def main():
    if sys.version_info < (3, 11):
        refuse("Python 3.11 or newer is needed; this is %d.%d" % sys.version_info[:2])
    with zipfile.ZipFile(ARCHIVE) as archive:
        about = json.loads(archive.read("about.json"))
        folder = prepared(archive, about["digest"])
    # In front of the archive, whose modules are then never asked for.
    sys.path[0:1] = [os.path.join(folder, "site")]
    if fits(about):
        sys.path.append(os.path.join(folder, "native"))
    sys.argv[0] = "tcpviz"
    from tcpviz.cli import main as run

    raise SystemExit(run())


if __name__ == "__main__":
    main()
