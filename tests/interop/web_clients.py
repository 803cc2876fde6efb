"""What ordinary WebDAV clients do, step by step: each step's exit status and what it left on both sides.

A suite here is a function of a door and a scratch folder. Steps go on after one that failed, as people do."""

import contextlib
import filecmp
import functools
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import time

import outcomes
import tools
import web_peers
from runners import SEED, at, read_lines, unmount

SUITES = pathlib.Path(__file__).resolve().parent / "suites"
CONTENT = bytes(range(256)) * 4000
OLD_TIME = 10**9
# Operations of the exerciser on a mount, each of which is several requests.
OPERATIONS = 300
NAMES = ("plain", "with space", "größe 猫", "a#b%20c&d", "(brackets) [too]", "quote's")


def tree(folder):
    """A tree to be copied, with odd names, an empty file and folder, and times of long ago."""
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "empty folder").mkdir()
    (folder / "empty").write_bytes(b"")
    for number, name in enumerate(NAMES):
        (folder / name).write_bytes(CONTENT[: 1000 * number])
    (folder / "deep" / "er" / "big").write_bytes(CONTENT * 5)
    for path in folder.rglob("*"):
        if path.is_file():
            os.utime(path, (OLD_TIME, OLD_TIME))
    return folder


# Where Apache keeps its properties.
OWN = {".DAV"}


def same_trees(one, other, empty_folders=True):
    """None, or what differs."""
    def inside(folder):
        return {str(path.relative_to(folder)): path for path in folder.rglob("*")
                if not OWN.intersection(path.relative_to(folder).parts) and (path.is_file() or empty_folders)}

    left, right = inside(one), inside(other)
    if lone := sorted(left.keys() ^ right.keys()):
        return f"only on one side: {lone[:3]}"
    wrong = [name for name, path in left.items() if path.is_file() and not filecmp.cmp(path, right[name], False)]
    return f"different: {wrong[:3]}" if wrong else None


class Walk:
    """Steps of one client. `order` makes a command of a step's words."""

    def __init__(self, door, folder, order, **environment):
        self.door, self.folder, self.order, self.environment = door, folder, order, environment
        self.results = {}

    def step(self, name, words, check=None, fails=False):
        """`check` takes what was said and returns what is wrong, or true where all is well."""
        done = at(self.door, self.order(words), self.folder, 120, **self.environment)
        said = done.stdout + done.stderr
        if (done.returncode != 0) != fails:
            wrong = f"exit status {done.returncode}: {said.strip()[-200:]}"
        else:
            try:
                found = check(said) if check else True
                wrong = None if found in (True, None) else f"{found or 'what it left is wrong'}: {said.strip()[-120:]}"
            except (OSError, LookupError, ValueError) as error:
                wrong = f"{type(error).__name__}: {error}"
        self.results[name] = outcomes.one_line(wrong, 300) if wrong else "ok"
        return done

    def holds(self, name, content):
        """A check that a file there has this content."""
        return lambda _said: (self.door.root / name).read_bytes() == content

    def gone(self, name):
        return lambda _said: not (self.door.root / name).exists()


# ---- curl -----------------------------------------------------------------------------------------------------------

def curl(door, folder):
    (folder / "full").write_bytes(CONTENT)
    (folder / "small").write_bytes(b"small")
    base = ["curl", "-sS", "--fail", "--cacert", door.certificate, "-u", f"{door.user}:{door.password}"]
    walk = Walk(door, folder, lambda words: [*base, *(word.replace("HERE/", door.url) for word in words)])

    def got(content):
        return lambda _said: (folder / "got").read_bytes() == content

    walk.step("put", ["-T", "full", "HERE/file"], walk.holds("file", CONTENT))
    walk.step("put over it", ["-T", "small", "HERE/file"], walk.holds("file", b"small"))
    walk.step("put what is not yet there (chunked)", ["-T", ".", "-H", "Expect:", "HERE/piped"],
              walk.holds("piped", b""))
    walk.step("put by HTTP/1.1 with Expect", ["--http1.1", "-H", "Expect: 100-continue", "-T", "full", "HERE/file"],
              walk.holds("file", CONTENT))
    walk.step("put by HTTP/2", ["--http2", "-T", "full", "HERE/two"],
              walk.holds("two", CONTENT))
    walk.step("put an odd name", ["-T", "small", "HERE/a%20b%23%C3%BC"], walk.holds("a b#ü", b"small"))
    walk.step("get", ["-o", "got", "HERE/file"], got(CONTENT))
    walk.step("get a range", ["-r", "100-199", "-o", "got", "HERE/file"], got(CONTENT[100:200]))
    (folder / "got").write_bytes(CONTENT[:5000])
    walk.step("get the rest", ["-C", "-", "-o", "got", "HERE/file"], got(CONTENT))
    walk.step("get when newer", ["-z", "got", "-o", "newer", "-w", "%{http_code}", "HERE/file"],
              lambda said: said == "304")
    walk.step("get by ETag twice", ["--etag-save", "tag", "-o", "got", "HERE/file"], got(CONTENT))
    walk.step("get by ETag again", ["--etag-compare", "tag", "-o", "none", "-w", "%{http_code}", "HERE/file"],
              lambda said: said == "304")
    walk.step("head", ["-I", "HERE/file"], lambda said: f"content-length: {len(CONTENT)}" in said.lower())
    walk.step("make a folder", ["-X", "MKCOL", "HERE/made/"], lambda _said: (door.root / "made").is_dir())
    walk.step("list", ["-X", "PROPFIND", "-H", "Depth: 1", "HERE/"], lambda said: "made" in said and "file" in said)
    walk.step("copy", ["-X", "COPY", "-H", f"Destination: {door.url}made/copy", "HERE/file"],
              walk.holds("made/copy", CONTENT))
    walk.step("move", ["-X", "MOVE", "-H", f"Destination: {door.url}made/moved", "HERE/file"],
              walk.holds("made/moved", CONTENT))
    walk.step("delete", ["-X", "DELETE", "HERE/made/moved"], walk.gone("made/moved"))
    walk.step("delete a folder", ["-X", "DELETE", "HERE/made/"], walk.gone("made"))
    walk.step("no entry with a wrong password", ["-u", f"{door.user}:wrong", "HERE/two"], fails=True)
    return walk.results


# ---- cadaver --------------------------------------------------------------------------------------------------------

def cadaver(door, folder):
    """Each step is a session of its own; its words tell of failures, its exit status does not."""
    (folder / "local").write_bytes(CONTENT)
    (folder / ".netrc").write_text(f"machine {door.net.host} login {door.user} password {door.password}\n")
    script = folder / "script"

    def order(words):
        script.write_text(f"{words}\nquit\n")
        return trusting(door, folder, ["sh", "-c", 'exec cadaver -r /dev/null "$0" <"$1"', door.url, script])

    walk = Walk(door, folder, order)

    def well(check=None):
        def look(said):
            if any(word in said for word in ("failed", "Could not", "error", "Error")):
                return "it says so"
            return check(said) if check else True
        return look

    walk.step("put", "put local file", well(walk.holds("file", CONTENT)))
    walk.step("list", "ls", well(lambda said: "file" in said and str(len(CONTENT)) in said))
    walk.step("make a folder", "mkcol c", well(lambda _said: (door.root / "c").is_dir()))
    walk.step("copy", "copy file c/copy", well(walk.holds("c/copy", CONTENT)))
    walk.step("move", "move c/copy c/moved", well(walk.holds("c/moved", CONTENT)))
    walk.step("lock, discover and unlock", "lock file\ndiscover file\nunlock file",
              well(lambda said: "opaquelocktoken" in said or "token" in said.lower()))
    walk.step("set and get a property", "propset file colour red\npropget file colour",
              well(lambda said: "red" in said))
    walk.step("properties of a file", "propnames file", well())
    walk.step("get", "get c/moved back", well(lambda _said: (folder / "back").read_bytes() == CONTENT))
    walk.step("delete", "delete c/moved", well(walk.gone("c/moved")))
    walk.step("delete a folder", "rmcol c", well(walk.gone("c")))
    return walk.results


# ---- rclone ---------------------------------------------------------------------------------------------------------

def rclone_environment(door):
    return {"RCLONE_CONFIG": "/dev/null", "RCLONE_CONFIG_THERE_TYPE": "webdav", "RCLONE_CONFIG_THERE_URL": door.url,
            "RCLONE_CONFIG_THERE_VENDOR": "owncloud", "RCLONE_CONFIG_THERE_USER": door.user,
            "RCLONE_CONFIG_THERE_PASS": tools.obscured(), "RCLONE_CA_CERT": str(door.certificate),
            "RCLONE_RETRIES": "1"}


def rclone(door, folder):
    """It takes every server for an ownCloud, which keeps times and tells checksums."""
    source = tree(folder / "tree")

    def order(words):
        return [tools.RCLONE, *words]

    walk = Walk(door, folder, order, **rclone_environment(door))

    def kept(_said):
        other = [str(path.name) for path in (door.root / "tree").rglob("*")
                 if path.is_file() and int(path.stat().st_mtime) != OLD_TIME]
        return f"other times: {other[:3]}" if other else True

    def hashed(said):
        return "could not be checked" not in said and "0 differences found" in said

    walk.step("copy", ["copy", source, "there:tree"], lambda _said: same_trees(source, door.root / "tree", False))
    walk.step("times are kept", ["lsf", "there:tree"], kept)
    walk.step("copy again, nothing to do", ["copy", "-v", "--stats-one-line", source, "there:tree"],
              lambda said: "Copied" not in said)
    walk.step("check by hashes", ["check", source, "there:tree"], hashed)
    walk.step("check by reading", ["check", "--download", source, "there:tree"],
              lambda said: "0 differences found" in said)
    walk.step("hashes", ["hashsum", "sha1", "there:tree/deep"],
              lambda said: len(said.split()[0]) == 40 if said.split() else "no hash")
    (source / "plain").write_bytes(b"other content")
    (source / "quote's").unlink()
    walk.step("sync what changed", ["sync", source, "there:tree"],
              lambda _said: same_trees(source, door.root / "tree", False))
    walk.step("sync by hashes", ["sync", "--checksum", source, "there:tree"],
              lambda _said: same_trees(source, door.root / "tree", False))
    walk.step("copy there", ["copyto", "there:tree/plain", "there:copied"], walk.holds("copied", b"other content"))
    walk.step("move a file there", ["moveto", "there:copied", "there:moved"], walk.holds("moved", b"other content"))
    walk.step("move a folder there", ["move", "there:tree", "there:other"],
              lambda _said: same_trees(source, door.root / "other", False))
    walk.step("set a time", ["touch", "-t", "2001-02-03T04:05:06", "there:moved"],
              lambda _said: int((door.root / "moved").stat().st_mtime) == 981173106)
    walk.step("get", ["copy", "there:other", "back"], lambda _said: same_trees(source, folder / "back", False))
    walk.step("space", ["about", "--json", "there:"], lambda said: json.loads(said)["free"] > 0)
    walk.order = lambda words: ["sh", "-c", f'"$0" {words} <tree/deep/er/big', tools.RCLONE]
    walk.step("stream of unknown length", "rcat --streaming-upload-cutoff 0 there:streamed",
              walk.holds("streamed", CONTENT * 5))
    walk.order = order
    walk.step("delete a file", ["deletefile", "there:moved"], walk.gone("moved"))
    walk.step("delete a folder", ["purge", "there:other"], walk.gone("other"))
    return walk.results


# ---- mounts ---------------------------------------------------------------------------------------------------------

class Drive:
    """What people do with a mount, and random work in a folder of it. When it has ended, the folder is looked at where
    it is served. `end` says what went wrong; the exerciser makes a pause after each
    operation, and leaves listings out."""

    def __init__(self, door, folder, mount, end, pause=0, unlisted=False):
        self.door, self.folder, self.mount, self.end = door, folder, mount, end
        self.pause, self.unlisted = pause, unlisted
        self.results = {"mount": "ok"}

    def attempt(self, name, work):
        """`work` returns what is wrong, if anything."""
        try:
            wrong = work()
        except (OSError, subprocess.SubprocessError) as error:
            wrong = error
        self.results[name] = outcomes.one_line(str(wrong)) if wrong else "ok"
        return not wrong

    def run(self):
        drive, left = self.mount / "drive", self.folder / "left.json"
        source, copy = tree(self.folder / "tree"), self.mount / "tree"
        self.attempt("make a folder", drive.mkdir)
        options = ["--pause", self.pause, "--left", left, *(["--without", "look"] if self.unlisted else [])]
        done = at(self.door, ["python3", SUITES / "exerciser.py", drive, SEED, OPERATIONS, *options], self.folder)
        self.results.update({f"exerciser / {kind}": words for kind, words in read_lines(done).items()})
        self.attempt("copy a tree", lambda: shutil.copytree(source, copy, copy_function=shutil.copyfile) and None)
        self.attempt("it arrives", lambda: self.arrives(source))
        self.attempt("read it again", lambda: differ(source, copy))
        self.attempt("rename a folder", lambda: (copy / "deep").rename(copy / "moved") and None)
        self.attempt("delete files and folders", lambda: delete(copy / "moved"))
        self.attempt("free space", lambda: shutil.disk_usage(self.mount).free <= 0 and "none is told")
        # Last, since davfs2 does other things wrong when it could not do this.
        self.attempt("list a folder", lambda: "drive" not in os.listdir(self.mount) and "it is not all there")
        self.attempt("unmount", self.end)
        shutil.rmtree(source / "deep")
        self.attempt("the tree is there afterwards", lambda: same_trees(source, self.door.root / "tree"))
        self.attempt("random work is there afterwards", lambda: self.kept(left))
        return self.results

    def arrives(self, source):
        end = time.monotonic() + 20
        while wrong := same_trees(source, self.door.root / "tree"):
            if time.monotonic() > end:
                return wrong
            time.sleep(0.2)
        return None

    def kept(self, left):
        expected = json.loads(left.read_text())
        there = {path.name: hashlib.sha256(path.read_bytes()).hexdigest()
                 for path in (self.door.root / "drive").iterdir() if path.is_file()}
        wrong = [name for name in expected | there if expected.get(name) != there.get(name)]
        return f"{len(wrong)} of {len(expected)} are others: {wrong[:3]}" if wrong else None


def differ(source, copy):
    """Which files are others, or are not there. The copy is not listed."""
    names = [path.relative_to(source) for path in source.rglob("*") if path.is_file()]
    wrong = [str(name) for name in names if not filecmp.cmp(source / name, copy / name, False)]
    return f"different: {wrong[:3]}" if wrong else None


def delete(folder):
    (folder / "er" / "big").unlink()
    (folder / "er").rmdir()
    folder.rmdir()


def rclone_mount(door, folder):
    """As a drive that keeps what is written until a file is closed, and hands it on at once."""
    if not pathlib.Path("/dev/fuse").exists():
        return {"mount": "skip: there is no /dev/fuse"}
    mount = folder / "mount"
    mount.mkdir()
    options = ["--vfs-cache-mode", "writes", "--vfs-write-back", "0s", "--cache-dir", folder / "cache",
               # Otherwise the kernel names a folder by its old name for a second after it was renamed.
               "--attr-timeout", "0s"]
    leashed = ["setpriv", "--pdeathsig", "KILL", tools.RCLONE, "mount", "there:", mount, *options]
    command = door.net.command("c", leashed)
    with open(folder / "words", "wb") as words:
        process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=words,
                                   stderr=words, env={**os.environ, **rclone_environment(door), "HOME": str(folder)})
    try:
        end = time.monotonic() + 30
        while not os.path.ismount(mount):
            if process.poll() is not None or time.monotonic() > end:
                return {"mount": outcomes.one_line((folder / "words").read_text()[-300:]) or "it does not come"}
            time.sleep(0.1)

        def done():
            unmount(mount)
            process.wait(60)

        # What was written is handed on after it was closed, and it does not bear that a file is renamed meanwhile.
        return Drive(door, folder, mount, done, pause=0.1).run()
    finally:
        if os.path.ismount(mount):
            unmount(mount)
        process.kill()
        process.wait()


def davfs2(door, folder):
    """As an administrator mounts it."""
    if not pathlib.Path("/dev/fuse").exists():
        return {"mount": "skip: there is no /dev/fuse"}
    folder.chmod(0o755)
    mount, cache, secrets, conf = (folder / name for name in ("mount", "cache", "secrets", "conf"))
    mount.mkdir()
    cache.mkdir()
    shutil.chown(cache, "root", "davfs2")
    cache.chmod(0o775)
    authority = shutil.copy(door.certificate, folder / "authority.pem")
    authority.chmod(0o644)
    secrets.touch(mode=0o600)
    secrets.write_text(f'{door.url} {door.user} "{door.password}"\n')
    conf.write_text(f"secrets {secrets}\ncache_dir {cache}\ntrust_ca_cert {authority}\ndelay_upload 0\nask_auth 0\n"
                    "if_match_bug 0\n")
    done = at(door, ["mount", "-t", "davfs", "-o", f"conf={conf},uid=0,gid=0", door.url, mount], folder, 60)
    if done.returncode != 0:
        return {"mount": outcomes.one_line(done.stdout + done.stderr)}

    def end():
        # It uploads what is left.
        ended = subprocess.run(["umount", mount], capture_output=True, text=True, timeout=120)
        return ended.stderr if ended.returncode else None

    try:
        return Drive(door, folder, mount, end, unlisted=True).run()
    finally:
        if os.path.ismount(mount):
            with contextlib.suppress(subprocess.SubprocessError):
                subprocess.run(["umount", "-l", mount], capture_output=True, timeout=60)


# ---- desktops -------------------------------------------------------------------------------------------------------

# In namespaces of its own, with which everything ends that it started: an overlay over /usr, where one is named, and
# the certificates that are trusted.
ENTER = ('[ -z "$1" ] || mount -t overlay overlay -o "lowerdir=$1:/usr" /usr; '
         'mount --bind "$2" /etc/ssl/certs && shift 2 && exec "$@"')
CERTIFICATES = pathlib.Path("/etc/ssl/certs")


def trusting(door, folder, command, overlay=""):
    """The command where the door's certificate is trusted, as if an administrator had installed it."""
    trusted = folder / "trusted"
    if not trusted.exists():
        shutil.copytree(CERTIFICATES, trusted, symlinks=True)
        with open(trusted / "ca-certificates.crt", "ab") as bundle:
            bundle.write(b"\n" + door.certificate.read_bytes())
        # By the hash of its subject OpenSSL finds it in a folder.
        asked = ["openssl", "x509", "-noout", "-subject_hash", "-in", door.certificate]
        name = subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()
        shutil.copy(door.certificate, trusted / f"{name}.0")
    return ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "private", "sh",
            "-c", ENTER, "sh", overlay, trusted, *command]


def desktop(name, door, folder):
    """A client of a desktop in a session of its own; its steps are in suites/desktop.py."""
    if why := web_peers.no_desktop(name):
        return {"session": f"skip: not run: {why}"}
    runtime = folder / "runtime"
    runtime.mkdir(mode=0o700)
    tree(folder / "tree")
    environment = {"XDG_RUNTIME_DIR": str(runtime), "XDG_CONFIG_HOME": str(folder / "config"), "XDG_CACHE_HOME":
                   str(folder / "cache"), "XDG_DATA_HOME": str(folder / "data"), "GVFS_DISABLE_FUSE": "1",
                   "QT_QPA_PLATFORM": "offscreen", "LC_ALL": "C.UTF-8", "XDG_DATA_DIRS": "/usr/share",
                   "KDE_FULL_SESSION": "", "DISPLAY": "", "DBUS_SESSION_BUS_ADDRESS": ""}
    session = ["dbus-run-session", "--", "python3", SUITES / "desktop.py", name]
    done = at(door, trusting(door, folder, session, web_peers.DESKTOP / "usr"), folder, 300, **environment)
    results = {}
    for line in done.stdout.splitlines():
        if line.startswith("{"):
            results.update(json.loads(line))
    if done.returncode != 0 or not results:
        results["session"] = outcomes.one_line(done.stderr[-300:]) or f"exit status {done.returncode}"
    return {case: outcomes.one_line(words, 300) for case, words in results.items()}


CLIENTS = {"curl": curl, "cadaver": cadaver, "davfs2": davfs2, "rclone": rclone, "rclone-mount": rclone_mount,
           "gvfs": functools.partial(desktop, "gvfs"), "kio": functools.partial(desktop, "kio")}
