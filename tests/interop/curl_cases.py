"""curl's own cases of SFTP and SCP, as far as they need no more than a client and a server: the files in `tests/data`
of its sources, of which each says what is to be there, which command is to run, and what is to come out. Their format
is described in `tests/FILEFORMAT.md` there. The folder `log` of a case is in the served folder, and is looked at from
both sides."""

import base64
import difflib
import hashlib
import re
import shlex
import shutil

import outcomes

SERVERS = {"sftp", "scp"}
# Kinds of host keys in the order in which libssh2 wants them.
HOST_KEYS = ("ecdsa-sha2-nistp256", "ssh-ed25519", "ssh-rsa")


class Case:
    """One file, taken apart."""

    def __init__(self, text, values):
        self.text, self.values = text, values
        # `client` and `verify` both have files.
        client, verify = (self.first(name, text) or "" for name in ("client", "verify"))
        self.client, self.verify, self.reply = client, verify, self.first("reply", text) or ""
        self.servers = (self.first("server", client) or "").split()

    @staticmethod
    def sections(name, text):
        """Attributes and content of each section of that name."""
        return re.findall(rf"^ *<{name}((?: [^>\n]*)?)>[ \n]?(.*?)^ *</{name}>", text, re.MULTILINE | re.DOTALL)

    @classmethod
    def first(cls, name, text):
        return next((content for _, content in cls.sections(name, text)), None)

    def filled_in(self, text, **more):
        """With values for the words that begin with a percent sign."""
        for word, value in {**self.values, **more}.items():
            text = text.replace(f"%{word}", str(value))
        return text

    def files(self, text):
        """Name and content of each file in a part."""
        for attributes, content in self.sections("file", text):
            yield self.filled_in(re.search(r'name="([^"]+)"', attributes)[1]), self.filled_in(content)

    @property
    def left_out(self):
        """Why it cannot be run; none when it can."""
        if not self.sections("command", self.client):
            return "has no command"
        if self.first("tool", self.client):
            return "runs a program of curl's own tests, which no package has"
        return None if set(self.servers) <= SERVERS else "wants servers of other protocols, too"

    @property
    def environment(self):
        """Variables that it wants to have."""
        lines = (self.first("setenv", self.client) or "").splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))

    @property
    def errors(self):
        """Exit statuses that are right."""
        return {int(word) for word in (self.first("errorcode", self.verify) or "0").replace(",", " ").split()}

    def stdout(self):
        """What has to be written to the standard output or, when nothing is said of that, what has to be fetched."""
        if (stdout := self.first("stdout", self.verify)) is not None:
            return self.filled_in(stdout)
        for name in ("data", "datacheck"):
            for attributes, content in self.sections(name, self.reply):
                if "nocheck" not in attributes:
                    return self.filled_in(content)
        return None


def cases(tests):
    """Number and text of each case with one of our servers."""
    for path in sorted((tests / "data").glob("test[0-9]*"), key=lambda one: int(one.name[4:])):
        text = path.read_text(errors="surrogateescape")
        if SERVERS & set(Case(text, {}).servers):
            yield path.name[4:], text


def values(door, number, tests):
    """The words of the format that mean something here."""
    known = [line.split()[1:3] for line in door.known_hosts.read_text().splitlines() if line[:1] not in ("#", "")]
    host_key = base64.b64decode(dict(known)[min(dict(known), key=HOST_KEYS.index)])
    sha256 = base64.b64encode(hashlib.sha256(host_key).digest()).decode().rstrip("=")
    return {"TESTNUMBER": number, "HOSTIP": door.net.host, "SSHPORT": door.port, "SSH_PWD": door.top, "USER": door.user,
            "SRCDIR": tests, "SSHSRVMD5": hashlib.md5(host_key).hexdigest(), "SSHSRVSHA256": sha256}


def wrong(expected, found):
    """The first lines that differ; none when none do."""
    if expected == found:
        return None
    lines = difflib.unified_diff(expected.splitlines(), found.splitlines(), "expected", "found", "", "", 0)
    return outcomes.one_line(" / ".join(list(lines)[3:]), 300) or "the ends of the lines differ"


def run_one(case, door, folder, at):
    """One case in an empty `log`; `at` runs a command there."""
    log = door.root / "log"
    shutil.rmtree(log, ignore_errors=True)
    log.mkdir()
    for name, content in case.files(case.client):
        place = door.root / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content)
    # Paths of a command are the server's, those of its preparation and of what follows are this side's.
    before, after = (case.filled_in(case.first(name, case.client) or "", PWD=door.root)
                     for name in ("precheck", "postcheck"))
    if before and (done := at(door, ["sh", "-c", before], folder, PWD=str(door.root))).returncode != 0:
        return f"preparation: {outcomes.one_line(done.stdout + done.stderr)}"
    environment = {name: case.filled_in(value, PWD=door.root) for name, value in case.environment.items()}
    output = log / f"curl{case.values['TESTNUMBER']}.out"
    words = shlex.split(case.filled_in(case.first("command", case.client), PWD=door.top))
    to = [] if case.first("stdout", case.verify) is not None else ["--output", output]
    done = at(door, ["curl", "--silent", "--show-error", *to, *words], folder, limit=60, PWD=str(door.root),
              **environment)
    if done.returncode not in case.errors:
        return f"exit status {done.returncode} instead of {case.errors}: {outcomes.one_line(done.stderr, 300)}"
    if after and (checked := at(door, ["sh", "-c", after], folder, PWD=str(door.root))).returncode != 0:
        return f"afterwards: {outcomes.one_line(checked.stdout + checked.stderr)}"
    return judged(case, door, done.stdout if not to else output.read_text() if output.exists() else "")


def judged(case, door, found):
    """What was fetched and what was left, beside what ought to be."""
    expected = [(name, content) for name, content in case.files(case.verify)]
    if (upload := case.first("upload", case.verify)) is not None:
        expected.append((f"log/upload.{case.values['TESTNUMBER']}", case.filled_in(upload)))
    for name, content in expected:
        place = door.root / name
        if not place.exists() or (words := wrong(content, place.read_text())):
            return f"{name}: {words if place.exists() else 'is not there'}"
    fetched = case.stdout()
    if fetched is not None and (words := wrong(fetched, found)):
        return f"fetched: {words}"
    return "ok"


def run(door, folder, at, tests):
    """All of them."""
    for name, there in (("curl_client_key", door.key), ("curl_client_key.pub", door.key.with_suffix(".pub"))):
        shutil.copy(there, door.root / name)
    results = {}
    for number, text in cases(tests):
        case = Case(text, values(door, number, tests))
        name = f"test{number}"
        results[name] = f"skip: {case.left_out}" if case.left_out else run_one(case, door, folder, at)
    return results
