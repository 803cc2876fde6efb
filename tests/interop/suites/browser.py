"""A browser uploads through the dashboard: 500 files in folders, and a file of 2 GiB whose connection is cut in the
middle. What arrives is compared byte by byte.

    browser.py SCALE"""

import filecmp
import json
import pathlib
import socket
import subprocess
import sys
import threading
import time
import urllib.request

import wire
from wire import want

FILES, SIZE, LEAST_FILES = 500, 2 << 30, 20
PIECE = 1 << 16
# Seconds for a step of the page, for one whole upload, and for the driver's answer to one command.
PAGE, UPLOAD, ANSWER = 60, 1500, 120
ARGUMENTS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
             "--disable-background-networking", "--disable-component-update", "--disable-sync",
             "--disable-dev-shm-usage")
HERE = pathlib.Path.cwd()


class Relay:
    """Carries connections to the server, and resets the one that brings the byte `cut` from the client."""

    def __init__(self, door, cut=None):
        self.door, self.cut, self.carried, self.lock = door, cut, 0, threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            server = socket.create_connection((self.door.host, self.door.port))
            for work in ((client, server, self.passes), (server, client, lambda _count: True)):
                threading.Thread(target=carry, args=work, daemon=True).start()

    def passes(self, count):
        """Counts; false once, when it is time to cut."""
        with self.lock:
            self.carried += count
            if self.cut is None or self.carried < self.cut:
                return True
            self.cut = None
            return False


def carry(source, target, passes):
    try:
        while data := source.recv(PIECE):
            if not passes(len(data)):
                wire.reset(source)
                wire.reset(target)
                return
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        for one in (source, target):
            one.close()


class Browser:
    """Headless Chromium behind chromedriver."""

    def __enter__(self):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.driver = subprocess.Popen(["chromedriver", f"--port={port}"], stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL)
        self.session = f"http://127.0.0.1:{port}/session"
        wish = {"capabilities": {"alwaysMatch": {"acceptInsecureCerts": True, "goog:chromeOptions": {
            "args": [*ARGUMENTS, f"--user-data-dir={HERE / 'profile'}"]}}}}
        wire.until(lambda: self.starts(wish), "no browser comes", PAGE)
        return self

    def __exit__(self, *_):
        try:
            self.send("DELETE", "")
        finally:
            self.driver.kill()
            self.driver.wait()

    def starts(self, wish):
        try:
            self.session += "/" + self.send("POST", "", wish)["sessionId"]
        except OSError:
            return False
        return True

    def send(self, method, command, body=None):
        request = urllib.request.Request(self.session + command, method=method, headers={
            "Content-Type": "application/json"}, data=json.dumps(body or {}).encode() if method == "POST" else None)
        with urllib.request.urlopen(request, timeout=ANSWER) as answer:
            return json.load(answer)["value"]

    def open(self, url):
        self.send("POST", "/url", {"url": url})

    def script(self, text):
        return self.send("POST", "/execute/sync", {"script": text, "args": []})

    def element(self, selector):
        found = self.send("POST", "/element", {"using": "css selector", "value": selector})
        return f"/element/{next(iter(found.values()))}"

    def write(self, selector, text):
        self.send("POST", f"{self.element(selector)}/value", {"text": text})

    def click(self, selector):
        self.send("POST", f"{self.element(selector)}/click")

    def wait(self, condition, patience=PAGE):
        end = time.monotonic() + patience
        while not self.script(f"return Boolean({condition})"):
            want(time.monotonic() < end, "the page stays at: " + " ".join(self.script(
                "return document.body.innerText").split())[-200:])
            time.sleep(0.3)

    def sign_in(self, base, door):
        self.open(f"{base}/browse/")
        self.wait("document.querySelector('#password') || document.querySelector('#files')")
        if self.script("return Boolean(document.querySelector('#password'))"):
            self.write("#name", door.user)
            self.write("#password", door.password)
            self.click("form[action='/sign-in'] button")
        self.wait("location.pathname === '/browse/' && document.querySelector('#files')")


def folders(count):
    """A folder with so many files, some deep, some empty, some with odd names."""
    top = HERE / "album ü"
    for number in range(count):
        folder = top / f"year {number % 5}" / f"month #{number % 12}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"file {number} 猫.bin").write_bytes(bytes([number % 256]) * (number * 37 % 60_000))
    return top


def same_folders(one, other):
    """Every file of one, and no other file."""
    left = sorted(path.relative_to(one) for path in one.rglob("*") if path.is_file())
    right = sorted(path.relative_to(other) for path in other.rglob("*") if path.is_file())
    want(left == right, f"{len(right)} files arrived of {len(left)}")
    wrong = [str(name) for name in left if not filecmp.cmp(one / name, other / name, False)]
    want(not wrong, f"{len(wrong)} differ: {wrong[:2]}")


def big(size):
    """A file in which no piece is like another."""
    path = HERE / "big.bin"
    with open(path, "wb") as file, open("/dev/urandom", "rb") as chance:
        for _ in range(0, size, 1 << 20):
            file.write(chance.read(1 << 20))
        file.truncate(size)
    return path


def done(browser, count):
    browser.wait(f"document.querySelectorAll('.sending li[data-state=done]').length === {count} || "
                 "document.querySelector('.sending li[data-state=refused]')", UPLOAD)
    refused = browser.script("return document.querySelector('.sending li[data-state=refused]')?.innerText || ''")
    want(not refused, f"refused: {refused}")


def no_litter(door):
    wire.until(lambda: not door.named(".causeway-"), f"left: {door.named('.causeway-')}")


def many(door, count):
    top = folders(count)
    with Browser() as browser:
        browser.sign_in(f"https://127.0.0.1:{door.port}", door)
        browser.write("#folders", str(top))
        done(browser, count)
    same_folders(top, door.root / top.name)
    no_litter(door)


def cut(door, size):
    path = big(size)
    relay = Relay(door, size // 2)
    with Browser() as browser:
        browser.sign_in(f"https://127.0.0.1:{relay.port}", door)
        browser.write("#files", str(path))
        done(browser, 1)
    want(relay.cut is None, "the connection was not cut")
    want(filecmp.cmp(path, door.root / path.name, False), "the file that arrived differs")
    again = relay.carried - size
    want(again < size // 4 + (32 << 20), f"{again} bytes were sent again")
    no_litter(door)


def main(scale):
    door = wire.Door()
    count, size = max(LEAST_FILES, int(FILES * scale)), max(1 << 20, int(SIZE * scale))
    wire.judge("files in folders, by the dashboard", many, door, count)
    wire.judge("a big file whose connection is cut in the middle", cut, door, size)


if __name__ == "__main__":
    main(float(sys.argv[1]))
