"""What ordinary clients do step by step, and what each step left behind: its words, its exit status and the served
tree. Two doors are the same where all of this is the same."""

import hashlib
import os
import re
import stat
import subprocess

import tools

# The source of all that is put, and where it ends when only half of it is.
CONTENT = bytes(range(256)) * 1500
HALF = len(CONTENT) // 2


def tree(root):
    """The served tree as text: kind, rights, size and digest of each entry."""
    lines = []
    for path in sorted(root.rglob("*")):
        # What clients keep for themselves.
        if path.relative_to(root).parts[0].startswith((".", "batch")):
            continue
        status = path.lstat()
        what = oct(stat.S_IMODE(status.st_mode))
        if path.is_symlink():
            what = f"-> {os.readlink(path)}"
        elif path.is_file():
            what += f" {status.st_size} {hashlib.sha256(path.read_bytes()).hexdigest()[:8]}"
        lines.append(f"{path.relative_to(root)} {what}")
    return "; ".join(lines)


def plain(text, door, place):
    """Words without what differs for good: where the folders are, dates, owners, the order of a listing, and the
    entries for the folder itself and the one above."""
    text = text.replace(there(door), "THERE/").replace(f"{door.user}@", "USER@").replace(f"{place}/", "")
    text = text.replace(f"{door.root}/", "/").replace(str(door.root), "/")
    # Of a long sentence the client shows a part, and how much of the name that is depends on where the folder lies.
    text = re.sub(r"n{100,}", "LONG", text)
    text = re.sub(r"\b[A-Z][a-z]{2} +\d{1,2} +(\d\d:\d\d|\d{4})\b", "DATE", text)
    text = re.sub(r"\b\d{4}[-/]\d\d[-/]\d\d[ T]\d\d:\d\d(:\d\d(\.\d+)?)?", "DATE", text)
    text = re.sub(r"\S+ +\S+ +(?=\d+ DATE)", "OWNER ", text)
    text = re.sub(r"\d+([.,]\d+)? *([KMGT]i?)?B/s|\b\d+ms\b|[\d.]+s\b|in \d+ seconds? \([^)]*\)", "", text)
    lines = (re.sub(r"\s+", " ", line).strip() for line in text.splitlines())
    return " / ".join(sorted(line for line in lines if not re.search(r"(^|[ /])\.\.?$", line)))


def ssh(door):
    return ["-F", "none", "-o", f"IdentityFile={door.key}", "-o", f"UserKnownHostsFile={door.known_hosts}", "-o",
            "StrictHostKeyChecking=yes", "-o", "BatchMode=yes", "-o", "LogLevel=ERROR"]


# Each line is one session: name of the step → lines of a batch. A leading minus goes on after a failure.
SFTP = {
    "put": "put full file",
    "list": "ls -ln",
    "get": "get file got",
    "put again": "put -p full file",
    "resume put": "put half part\nreput full part",
    "resume get": "get part short\nreget part short",
    "mkdir": "mkdir dir\nmkdir dir/sub\nls -la dir",
    "mkdir there": "mkdir dir",
    "mkdir without parent": "mkdir no/such",
    "rename": "rename file dir/moved\nls dir",
    "rename over": "put half file\nrename file dir/moved\nls -l dir",
    "rename a folder": "rename dir/sub sub2\nls",
    "rename what is not": "rename none some",
    "rename over a folder": "put half file\nrename file sub2",
    "rename a folder over a file": "rename sub2 file",
    "old rename over": "put half a\nput half b\nrename -l a b",
    "rm": "rm file\nls",
    "rm what is not": "rm none",
    "rm a folder": "rm sub2",
    "rmdir full": "rmdir dir",
    "rmdir a file": "rmdir part",
    "rmdir": "rmdir sub2",
    "symlink": "ln -s part link\nls -l\nget link through",
    "dangling link": "ln -s nowhere dangling\nls -l\nget dangling got",
    "hard link": "ln part hard\nls -l",
    "hard link over": "ln part hard",
    "chmod": "chmod 640 part\nls -l part",
    "chmod what is not": "chmod 640 none",
    "get what is not": "get none got",
    "get a folder": "get dir got",
    "get all": "get -r dir got-dir",
    "put all": "put -r tree tree\nls -l tree",
    "put over a folder": "put full dir",
    "put below a file": "put full part/x",
    "cd to a file": "cd part",
    "cd to nothing": "cd none",
    "list nothing": "ls none",
    "odd names": 'put half "a b"\nput half "ünï"\nput half "*x"\nls -l\nrm "a b"',
    "long name": f"put half {'n' * 255}\nrm {'n' * 255}",
    "too long name": f"put half {'n' * 256}",
    "copy": "copy part copied\nls -l copied",
    "empty": "put empty empty\nls -l empty\nget empty got-empty",
    "exists twice": "mkdir twice\n-mkdir twice\nrmdir twice",
    "copy over another": "put half other\ncopy other copied",
    "copy over itself": "copy part hard",
}


def sftp(door, folder, work):
    batch = folder / "batch"
    batch.write_text(work + "\n")
    return ["sftp", *ssh(door), "-q", "-b", batch, "-P", door.port, f"{door.user}@{door.net.host}"]


# curl: name of the step → what follows the options of the login. HERE is the URL of the folder.
CURL = {
    "list": ["HERE/"],
    "put": ["-T", "full", "HERE/file"],
    "names": ["-l", "HERE/"],
    "get": ["HERE/file", "-o", "got"],
    "get a range": ["-r", "100-199", "HERE/file", "-o", "range"],
    "get the end": ["-r", "-100", "HERE/file", "-o", "end"],
    "get on": ["-C", "1000", "HERE/file", "-o", "rest"],
    "put half": ["-T", "half", "HERE/part"],
    "put on": ["-C", "-", "-T", "full", "HERE/part"],
    "append": ["-a", "-T", "half", "HERE/part"],
    "put into a new folder": ["--ftp-create-dirs", "-T", "half", "HERE/new/deep/file"],
    "put into no folder": ["-T", "half", "HERE/none/file"],
    "get nothing": ["HERE/none", "-o", "got"],
    "head": ["-I", "HERE/file"],
    "mkdir": ["-Q", "mkdir /~/dir", "HERE/"],
    "rename": ["-Q", "rename /~/file /~/dir/file", "HERE/dir/"],
    "rename over": ["-Q", "rename /~/part /~/dir/file", "HERE/dir/"],
    "chmod": ["-Q", "chmod 600 /~/dir/file", "HERE/dir/"],
    "mtime": ["-Q", 'mtime "03 Feb 2001 04:05:06 GMT" /~/dir/file', "HERE/dir/"],
    "ln": ["-Q", "ln dir/file /~/link", "HERE/"],
    "pwd": ["-Q", "pwd", "HERE/"],
    "statvfs": ["-Q", "statvfs /~/dir", "HERE/"],
    "rm": ["-Q", "rm /~/dir/file", "HERE/"],
    "rm nothing": ["-Q", "rm /~/none", "HERE/"],
    "rmdir": ["-Q", "rmdir /~/dir", "HERE/"],
    "rmdir full": ["-Q", "rmdir /~/new", "HERE/"],
    "created with rights": ["--create-file-mode", "0600", "-T", "half", "HERE/secret"],
}


def curl(door, _folder, work):
    url = f"sftp://{door.net.host}:{door.port}/~"
    words = [word.replace("HERE", url) if word.startswith("HERE") else word for word in work]
    return ["curl", "-sS", "-k", "-u", f"{door.user}:", "--key", door.key, "--pubkey", f"{door.key}.pub", *words]


LFTP = {
    "put": "put full -o file",
    "list": "cls -1 -s --block-size=1; ls",
    "get": "get file -o lftp-got",
    "put on": "put half -o part; put -c full -o part",
    "get on": "get part -o lftp-short",
    "pget": "pget -n 3 file -o lftp-pieces",
    "mkdir": "mkdir -p dir/sub; ls dir",
    "mv": "mv file dir/moved; cls dir",
    "mv over": "put half -o other; mv other dir/moved; cls -s --block-size=1 dir",
    "mmv": "mkdir -f to; mmv part to/; cls to",
    "chmod": "chmod 640 dir/moved; cls -l dir",
    "link": "ln -s dir/moved link; cls -1",
    "mirror up": "mirror -R tree tree; find tree",
    "mirror again": "mirror -R tree tree; find tree",
    "mirror down": "mirror tree tree-back",
    "du": "du -b tree",
    "cat": "cat tree/one",
    "glob": "glob echo *",
    "rm": "rm dir/moved; cls dir",
    "rm nothing": "rm none",
    "cd nothing": "cd none",
    "rm all": "rm -r tree; cls",
    "rmdir full": "rmdir dir",
}


def lftp(door, _folder, work):
    program = " ".join(["ssh", "-a", "-x", *map(str, ssh(door))])
    script = (f'set sftp:connect-program "{program}"; set cmd:fail-exit yes; set net:max-retries 1; '
              f"set cmd:interactive no; open -u {door.user}, -p {door.port} sftp://{door.net.host}; {work}")
    return ["lftp", "--norc", "-c", script]


RCLONE = {
    "copy": ["copy", "tree", "THERE/tree"],
    "check": ["check", "tree", "THERE/tree"],
    "check by reading": ["check", "--download", "tree", "THERE/tree"],
    "list": ["lsf", "-R", "--format", "ps", "THERE"],
    "list as JSON": ["lsjson", "-R", "--no-modtime", "THERE"],
    "copy again": ["copy", "-v", "--stats", "0", "tree", "THERE/tree"],
    "sync": ["sync", "other", "THERE/tree"],
    "check after sync": ["check", "other", "THERE/tree"],
    "move a file": ["moveto", "THERE/tree/one", "THERE/tree/two"],
    "move a folder": ["move", "THERE/tree", "THERE/moved"],
    "touch": ["touch", "-t", "2001-02-03T04:05:06", "THERE/moved/two"],
    "times": ["lsf", "-R", "--format", "tp", "THERE/moved"],
    "touch new": ["touch", "THERE/touched"],
    "stream": ["copyto", "full", "THERE/big"],
    "size": ["size", "THERE"],
    "get": ["copy", "THERE/moved", "rclone-back"],
    "sparse parts": ["copyto", "--multi-thread-cutoff", "100k", "--multi-thread-streams", "4", "THERE/big", "pieces"],
    "server-side copy": ["copyto", "THERE/big", "THERE/big2"],
    "delete": ["deletefile", "THERE/big"],
    "delete nothing": ["deletefile", "THERE/none"],
    "mkdir": ["mkdir", "THERE/made"],
    "rmdir": ["rmdir", "THERE/made"],
    "rmdir full": ["rmdir", "THERE/moved"],
    "purge": ["purge", "THERE/moved"],
    "about": ["about", "--json", "THERE"],
}


def there(door):
    return (f":sftp,host={door.net.host},port={door.port},user={door.user},key_file='{door.key}',"
            f"known_hosts_file='{door.known_hosts}',shell_type=none:")


def rclone(door, folder, work):
    words = [str(word).replace("THERE/", there(door)).replace("THERE", there(door)) for word in work]
    return [tools.RCLONE, "--config", "", "--retries", "1", *words]


CLIENTS = {"sftp": (sftp, SFTP), "curl": (curl, CURL), "lftp": (lftp, LFTP), "rclone": (rclone, RCLONE)}
# Free space of the disk is another at each moment.
FREE = {"statvfs", "about"}


def prepare(work):
    """Files of this machine in the folder in which all clients run."""
    for name, data in (("full", CONTENT), ("half", CONTENT[:HALF]), ("short", CONTENT[:1000]), ("empty", b""),
                       ("a b", b"spaces"), ("ünï", b"beyond ASCII"), ("*x", b"a star"), ("n" * 255, b"long")):
        (work / name).write_bytes(data)
    for folder in ("tree", "other"):
        (work / folder / "deep" / "er").mkdir(parents=True)
        (work / folder / "empty").mkdir()
        (work / folder / "one").write_bytes(folder.encode())
        (work / folder / "deep" / "er" / "two").write_bytes(b"2" * 70_000)
        os.utime(work / folder / "one", (10**9, 10**9))
    (work / "other" / "new").write_bytes(b"new")


def run(door, work, at):
    """All steps of all clients; `at` runs a command there."""
    results = {}
    for client, (order, script) in CLIENTS.items():
        for left in sorted(door.root.glob("*")):
            subprocess.run(["rm", "-rf", "--", left], check=True)
        place = work / client
        place.mkdir()
        prepare(place)
        for step, words in script.items():
            done = at(door, order(door, place, words), place, limit=60)
            said = plain(f"{done.stdout}\n{done.stderr}", door, place)
            if step in FREE:
                said = re.sub(r"\d+", "N", said)
            kept = hashlib.sha256(tree(place).encode()).hexdigest()[:8] if step != "times" else ""
            results[f"{client} {step}"] = f"said {done.returncode}: {said} | here {kept} | there {tree(door.root)}"
    return results
