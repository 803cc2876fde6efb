"""What is missing of the WebDAV servers and clients: nginx of Debian, wsgidav of PyPI, and the desktops' clients, gvfs
and KIO. Packages that nobody wants on his machine are unpacked and not installed."""

import os
import pathlib
import shutil
import subprocess
import sys

import http_peers
import links
import tools

APACHE_MODULES = http_peers.APACHE_MODULES
FOLDER = links.TESTS / ".cache" / "webdav"
PYTHON = FOLDER / "python" / "bin" / "python"
WHEELS = ("wsgidav==4.4.0", "cheroot==11.1.2")
DESKTOP = FOLDER / "desktop"
# GNOME's and KDE's clients, without what they recommend.
DESKTOP_PACKAGES = ("gvfs-backends", "gvfs", "glib-networking", "kio", "kde-cli-tools")
# What each of them is run by.
DESKTOP_PROGRAMS = {"gvfs": "gio", "kio": "kioclient5"}
# Clients that `tests/run setup` installs.
INSTALLED = ("litmus", "cadaver", "mount.davfs", "fusermount3", "chromium", "chromedriver", "curl")


def install(suites):
    """What these suites need."""
    places = os.pathsep.join((os.environ["PATH"], "/usr/sbin", "/sbin"))
    there = all(shutil.which(program, path=places) for program in INSTALLED)
    if not (there and tools.RCLONE.exists()):
        subprocess.run([links.TESTS / "run", "setup"], check=True)
    http_peers.install(())
    FOLDER.mkdir(parents=True, exist_ok=True)
    http_peers.once(PYTHON.parent.parent, " ".join(WHEELS), python)
    if DESKTOP_PROGRAMS.keys() & set(suites):
        try:
            http_peers.once(DESKTOP, " ".join(DESKTOP_PACKAGES), desktop)
        except subprocess.SubprocessError as error:
            print(f"gvfs and KIO are left out: {error}", file=sys.stderr)


def python(folder):
    subprocess.run(["python3", "-m", "venv", folder], check=True)
    pip = [folder / "bin" / "pip", "--disable-pip-version-check", "--quiet"]
    subprocess.run([*pip, "install", *WHEELS], check=True, timeout=http_peers.PATIENCE)


def desktop(folder):
    """The packages and all that they need and the machine has not, unpacked into a layer for /usr."""
    options = ["-qq", "-y", "--no-install-recommends", "-o", "APT::Sandbox::User=root", "-o",
               f"Dir::Cache::archives={folder}/archives", "--download-only"]
    (folder / "archives" / "partial").mkdir(parents=True)
    asked = ["apt-get", "install", *options, *DESKTOP_PACKAGES]
    if subprocess.run(asked, stdout=subprocess.DEVNULL, timeout=http_peers.PATIENCE).returncode != 0:
        subprocess.run(["apt-get", "-qq", "update"], check=True, timeout=http_peers.PATIENCE)
        subprocess.run(asked, check=True, stdout=subprocess.DEVNULL, timeout=http_peers.PATIENCE)
    for package in (folder / "archives").glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", package, folder], check=True)
    shutil.rmtree(folder / "archives")
    # Some packages still name /lib, which is a link to /usr/lib.
    if (folder / "lib").is_dir():
        shutil.copytree(folder / "lib", folder / "usr" / "lib", symlinks=True, dirs_exist_ok=True)
    (folder / "work").mkdir()
    layer = f"lowerdir=/usr,upperdir={folder}/usr,workdir={folder}/work"
    subprocess.run(["unshare", "--mount", "--propagation", "private", "sh", "-c", PREPARE, "sh", layer], check=True)


# What the packages would do themselves when they are installed.
PREPARE = """mount -t overlay overlay -o "$1" /usr
glib-compile-schemas /usr/share/glib-2.0/schemas
for query in /usr/lib/*/glib-2.0/gio-querymodules; do "$query" "${query%/glib-2.0/*}/gio/modules"; done"""


def no_desktop(name):
    """Why a client of a desktop cannot be run; none when it can."""
    program = DESKTOP_PROGRAMS[name]
    if not (DESKTOP / ".installed").exists():
        return "not installed"
    there = [place / "bin" / program for place in (DESKTOP / "usr", pathlib.Path("/usr"))]
    return None if any(path.exists() for path in there) else f"there is no {program}"


def causeway(chosen):
    """The program: the one that was named, or the debug build."""
    if chosen:
        return chosen.resolve()
    subprocess.run(["cargo", "build", "--quiet"], cwd=links.TOP, check=True)
    return links.TOP / "target" / "debug" / "causeway"


def versions(program):
    """What each says of itself."""
    said = http_peers.versions(program)
    asked = {"wsgidav": [PYTHON.with_name("wsgidav"), "--version"]}
    for name, command in asked.items():
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
        said[name] = (done.stdout + done.stderr).strip().splitlines()[0]
    return {name: words for name, words in said.items() if name not in ("h2load",)}
