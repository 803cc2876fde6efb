"""What encryption costs at the least: the bare cipher, measured with OpenSSL in the same run."""

import re
import subprocess

# A record of TLS carries so many bytes at most (RFC 8446, section 5.1).
RECORD = 16384
GIB = 1 << 30
# OpenSSL's names of ciphers, by what stands in the names of suites, of TLS 1.2 and 1.3 alike.
CIPHERS = {"AES256-GCM": "aes-256-gcm", "AES128-GCM": "aes-128-gcm", "CHACHA20-POLY1305": "chacha20-poly1305"}


def of_suite(suite):
    """The cipher of a suite; none when it is another one."""
    plain = suite.replace("AES_", "AES").replace("_", "-")
    return next((cipher for part, cipher in CIPHERS.items() if part in plain), None)


def seen(row):
    """The ciphers that the runs of these cells were encrypted with."""
    suites = {run.suite for runs in row.values() for run in runs if run.suite}
    return {of_suite(suite) for suite in suites} - {None}


def cost(cipher, seconds=3):
    """CPU seconds that it takes to decrypt and authenticate a GiB in records."""
    command = ["openssl", "speed", "-seconds", str(seconds), "-bytes", str(RECORD), "-aead", "-decrypt", "-evp", cipher]
    done = subprocess.run([*command, "-mr"], capture_output=True, text=True, check=True)
    return GIB / rate(done.stdout)


def rate(said):
    """Bytes per second of CPU time, from the line for machines."""
    return float(re.search(r"^\+F:\d+:[^:]+:([\d.]+)$", said, re.MULTILINE)[1])
