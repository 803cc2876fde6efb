"""What is missing of the peers: a virtual environment with the Python clients and their auditors, and the sources of
those whose tests are run."""

import shutil
import subprocess
import tarfile

import links

FOLDER = links.SFTP_PYTHON.parent.parent
# Exactly these, since the table of known differences names their tests.
WHEELS = ("asyncssh==2.24.1", "paramiko==3.5.1", "pytest==9.2.0", "ssh-audit==3.9.0")
# Their wheels come without tests.
SOURCES = ("paramiko==3.5.1", "asyncssh==2.24.1")
# Seconds that the registry may take for all of it.
PATIENCE = 300


def install():
    stamp = FOLDER / ".installed"
    wanted = " ".join((*WHEELS, *SOURCES))
    if stamp.exists() and stamp.read_text() == wanted:
        return
    shutil.rmtree(FOLDER, ignore_errors=True)
    subprocess.run(["python3", "-m", "venv", FOLDER], check=True)
    pip = [links.SFTP_PYTHON, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    subprocess.run([*pip, "install", *WHEELS], check=True, timeout=PATIENCE)
    sources = FOLDER / "sources"
    options = ["--no-deps", "--no-build-isolation", "--no-binary", ":all:", "--dest", sources]
    subprocess.run([*pip, "install", "setuptools", "wheel"], check=True, timeout=PATIENCE)
    subprocess.run([*pip, "download", *options, *SOURCES], check=True, timeout=PATIENCE)
    for archive in sources.glob("*.tar.gz"):
        with tarfile.open(archive) as packed:
            packed.extractall(sources, filter="data")
    stamp.write_text(wanted)


def source(package):
    """The unpacked sources of a package in SOURCES."""
    pinned = next(one for one in SOURCES if one.startswith(f"{package}=="))
    return FOLDER / "sources" / pinned.replace("==", "-")
