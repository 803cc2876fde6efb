"""What GNOME's `gio` and KDE's `kioclient` do with a WebDAV folder, in the session in which this runs.

    desktop.py gvfs|kio

The folder in which it runs has a tree to copy."""

import fcntl
import os
import pathlib
import struct
import subprocess
import sys
import urllib.parse

import wire
from wire import same, want

HERE = pathlib.Path.cwd()
# Of linux/if_tun.h: TUNSETIFF, and IFF_TUN with IFF_NO_PI.
TUNSETIFF, TUN = 0x400454CA, 0x1001
# Seconds for one command.
PATIENCE = 30


def run(words, given=None):
    done = subprocess.run([str(word) for word in words], input=given, capture_output=True, text=True, timeout=PATIENCE)
    want(done.returncode == 0, f"exit status {done.returncode}: {(done.stdout + done.stderr).strip()[-200:]}")
    return done.stdout


def files():
    """Those of the tree that lie at its top."""
    return [path for path in (HERE / "tree").iterdir() if path.is_file()]


class Gvfs:
    def __init__(self, door):
        self.door = door
        self.url = f"davs://{door.user}@{door.host}:{door.port}{door.mount}"

    def at(self, name):
        return self.url + urllib.parse.quote(name)

    def connect(self):
        run(["gio", "mount", self.url], f"{self.door.password}\n")
        want(self.door.host in run(["gio", "mount", "-l"]), "the mount is not listed")

    def put(self, path, name):
        run(["gio", "copy", path, self.at(name)])

    def get(self, name, path):
        run(["gio", "copy", self.at(name), path])

    def read(self, name):
        return run(["gio", "cat", self.at(name)])

    def names(self, name):
        return run(["gio", "list", self.at(name)]).splitlines()

    def size(self, name):
        said = run(["gio", "info", "-a", "standard::size,time::modified", self.at(name)])
        return int(said.partition("standard::size: ")[2].split()[0])

    def make(self, name):
        run(["gio", "mkdir", self.at(name)])

    def move(self, name, other):
        run(["gio", "move", self.at(name), self.at(other)])

    def copy(self, name, other):
        run(["gio", "copy", self.at(name), self.at(other)])

    def rename(self, name, other):
        run(["gio", "rename", self.at(name), other])

    def remove(self, name):
        run(["gio", "remove", self.at(name)])

    def write(self, name, text):
        run(["gio", "save", self.at(name)], text)

    def space(self):
        return run(["gio", "info", "-f", self.url])

    def disconnect(self):
        run(["gio", "mount", "-u", self.url])


class Kio:
    def __init__(self, door):
        self.door = door
        self.url = f"webdavs://{door.user}:{urllib.parse.quote(door.password)}@{door.host}:{door.port}{door.mount}"

    def at(self, name):
        return self.url + urllib.parse.quote(name)

    @staticmethod
    def online():
        """An interface that leads nowhere: Qt takes a machine with none but the loopback for one without a network, and
        KIO then looks into its cache only. It is there as long as the file is open."""
        device = os.open("/dev/net/tun", os.O_RDWR)
        fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", b"online0", TUN))
        run(["ip", "address", "add", "192.0.2.1/24", "dev", "online0"])
        run(["ip", "link", "set", "online0", "up"])

    def kio(self, *words):
        return run(["kioclient5", "--noninteractive", *words])

    def connect(self):
        self.online()
        self.kio("ls", self.url)

    def put(self, path, name):
        self.kio("--overwrite", "copy", f"file://{urllib.parse.quote(str(path))}", self.at(name))

    def get(self, name, path):
        self.kio("copy", self.at(name), f"file://{urllib.parse.quote(str(path))}")

    def read(self, name):
        return self.kio("cat", self.at(name))

    def names(self, name):
        return [one for one in self.kio("ls", self.at(name)).splitlines() if one not in ("", ".", "..")]

    def size(self, name):
        return int(self.kio("stat", self.at(name)).partition("SIZE")[2].split()[0])

    def make(self, name):
        """It has no command for it, but copies folders."""
        (HERE / name).mkdir()
        self.kio("copy", f"file://{urllib.parse.quote(str(HERE / name))}", self.url)

    def move(self, name, other):
        self.kio("move", self.at(name), self.at(other))

    rename = None

    def copy(self, name, other):
        self.kio("copy", self.at(name), self.at(other))

    def remove(self, name):
        self.kio("remove", self.at(name))

    def write(self, name, text):
        (HERE / "written").write_text(text)
        self.put(HERE / "written", name)

    space = None

    def disconnect(self):
        pass


class Work:
    """What is done with a client. Each step looks at the other side, too."""

    def __init__(self, client, door):
        self.client, self.door = client, door
        self.big = HERE / "tree" / "deep" / "er" / "big"


    def connect(self):
        self.client.connect()

    def put(self):
        for path in files():
            self.client.put(path, path.name)
            same(self.door.there(path.name).read_bytes() == path.read_bytes(), True, f"{path.name} is there as it was")

    def put_5_MB(self):
        self.client.put(self.big, "big")
        same(self.door.there("big").read_bytes() == self.big.read_bytes(), True, "it is there as it was")

    def list(self):
        told = {one.rstrip("/") for one in self.client.names("")}
        same(sorted(told), sorted(path.name for path in self.door.root.iterdir()), "names")
        same(self.client.size("with space"), (HERE / "tree" / "with space").stat().st_size, "size")

    def get(self):
        for path in files():
            self.client.get(path.name, HERE / "back")
            same((HERE / "back").read_bytes() == path.read_bytes(), True, f"{path.name} came back as it was")
            (HERE / "back").unlink()

    def save_over_it(self):
        for text in ("first", "second, longer", "3"):
            self.client.write("saved.txt", text)
            same(self.door.there("saved.txt").read_text(), text, "what was saved")
        same(self.client.read("saved.txt"), "3", "what is read")

    def make_a_folder(self):
        self.client.make("new folder")
        want(self.door.there("new folder").is_dir(), "no folder")
        self.client.put(HERE / "tree" / "plain", "new folder/in it")
        same(self.client.names("new folder"), ["in it"], "names in it")

    def move_and_rename(self):
        self.client.move("saved.txt", "new folder/moved ü.txt")
        there = self.door.there("new folder/moved ü.txt")
        want(there.exists() and not self.door.there("saved.txt").exists(), "not moved")
        if self.client.rename:
            self.client.rename("new folder/moved ü.txt", "renamed.txt")
            want(there.with_name("renamed.txt").exists() and not there.exists(), "not renamed")

    def copy_there(self):
        self.client.copy("with space", "new folder/copy")
        same(self.door.there("new folder/copy").read_bytes(), self.door.there("with space").read_bytes(), "the copy")

    def delete(self):
        self.client.put(HERE / "tree" / "plain", "doomed")
        self.client.remove("doomed")
        want(not self.door.there("doomed").exists(), "it is still there")
        self.client.make("nothing")
        self.client.remove("nothing")
        want(not self.door.there("nothing").exists(), "the folder is still there")

    def free_space(self):
        if not self.client.space:
            raise wire.Left("this client has no command for it")
        want("filesystem::free" in self.client.space(), "free space is not told")

    def disconnect(self):
        self.client.disconnect()


STEPS = ("connect", "put", "put_5_MB", "list", "get", "save_over_it", "make_a_folder", "move_and_rename", "delete",
         "copy_there", "free_space", "disconnect")


def main():
    door = wire.Door()
    client = {"gvfs": Gvfs, "kio": Kio}[sys.argv[1]](door)
    work = Work(client, door)
    for step in STEPS:
        wire.judge(step.replace("_", " "), getattr(work, step))


if __name__ == "__main__":
    main()
