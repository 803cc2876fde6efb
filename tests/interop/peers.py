"""What is missing of the peers: a virtual environment with the Python clients and their auditors, the sources of those
whose tests are run, and what only Debian has: curl's test cases and libssh."""

import os
import shutil
import subprocess
import tarfile

import links

FOLDER = links.SFTP_PYTHON.parent.parent
# Exactly these, since the table of known differences names their tests.
WHEELS = ("asyncssh==2.24.1", "paramiko==3.5.1", "pytest==9.2.0", "ssh-audit==3.9.0")
# Their wheels come without tests.
SOURCES = ("paramiko==3.5.1", "asyncssh==2.24.1")
# Of Debian: a source package, since no other has curl's test cases, and a library that need not be installed.
DEBIAN_SOURCE, DEBIAN_LIBRARY = "curl", "libssh-4"
# Seconds that the registry may take for all of it.
PATIENCE = 300


def install():
    stamp = FOLDER / ".installed"
    wanted = " ".join((*WHEELS, *SOURCES, DEBIAN_SOURCE, DEBIAN_LIBRARY))
    if stamp.exists() and stamp.read_text() == wanted:
        return
    shutil.rmtree(FOLDER, ignore_errors=True)
    install_python()
    install_debian()
    stamp.write_text(wanted)


def install_python():
    subprocess.run(["python3", "-m", "venv", FOLDER], check=True)
    pip = [links.SFTP_PYTHON, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    subprocess.run([*pip, "install", *WHEELS], check=True, timeout=PATIENCE)
    sources = FOLDER / "sources"
    options = ["--no-deps", "--no-build-isolation", "--no-binary", ":all:", "--dest", sources]
    subprocess.run([*pip, "install", "setuptools", "wheel"], check=True, timeout=PATIENCE)
    subprocess.run([*pip, "download", *options, *SOURCES], check=True, timeout=PATIENCE)
    for archive in sources.glob("*.tar.gz"):
        unpack(archive)


def install_debian():
    """Asks the machine's own mirrors, which sources.list names mostly for binary packages only."""
    folder = FOLDER / "debian"
    (folder / "lists" / "partial").mkdir(parents=True)
    asked = ["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)", "Created-By: Packages"]
    mirrors = sorted(set(said(asked).splitlines()))
    # The lists of binary packages are the machine's, only those of sources are ours.
    (folder / "sources.list").write_text("".join(f"deb-src {mirror}\n" for mirror in mirrors))
    options = ["-qq", "-o", f"Dir::Etc::SourceList={folder}/sources.list", "-o", "Dir::Etc::SourceParts=-", "-o",
               f"Dir::State::Lists={folder}/lists", "-o", "APT::Sandbox::User=root"]
    subprocess.run(["apt-get", *options, "update"], check=True, timeout=PATIENCE)
    subprocess.run(["apt-get", *options, "source", "--download-only", DEBIAN_SOURCE], cwd=folder, check=True,
                   timeout=PATIENCE, stdout=subprocess.DEVNULL)
    unpack(next(folder.glob(f"{DEBIAN_SOURCE}_*.orig.tar.*[!c]")))
    subprocess.run(["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", DEBIAN_LIBRARY], cwd=folder,
                   check=True, timeout=PATIENCE)
    subprocess.run(["dpkg-deb", "-x", next(folder.glob(f"{DEBIAN_LIBRARY}_*.deb")), folder], check=True)


def said(command):
    return subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"}).stdout


def unpack(archive):
    """Beside itself."""
    with tarfile.open(archive) as packed:
        packed.extractall(archive.parent, filter="data")


def source(package):
    """The unpacked sources of a package in SOURCES."""
    pinned = next(one for one in SOURCES if one.startswith(f"{package}=="))
    return FOLDER / "sources" / pinned.replace("==", "-")


def curl_tests():
    """The folder `tests` of curl's sources."""
    return next((FOLDER / "debian").glob("curl-*/tests"))


def libssh():
    """The library, which is not where the system looks."""
    return next((FOLDER / "debian" / "usr" / "lib").glob("*/libssh.so.4"))
