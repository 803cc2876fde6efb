"""Cases that stay as they are, each with its reason: state → suite → pattern of the case's name → why."""

from outcomes import DIFFERENT, FAILS_AT_BOTH

WORDS = "the status is the same, the words that come with it say more"
REFUSED = "what is asked for cannot be, and the refusal is what is compared"
AS_ROOT = "the test wants to be refused by rights of the file system, and both servers run as root here"

# Steps of ordinary clients that have to be refused.
REFUSALS = {
    "clients": (
        "curl get nothing", "curl put into no folder", "curl rm nothing", "curl rmdir full", "lftp cd nothing",
        "lftp mv over", "lftp rm nothing", "lftp rmdir full", "rclone delete nothing", "rclone rmdir full",
        "sftp cd to a file", "sftp cd to nothing", "sftp chmod what is not", "sftp get a folder",
        "sftp get what is not", "sftp hard link over", "sftp list nothing", "sftp mkdir there",
        "sftp mkdir without parent", "sftp old rename over", "sftp put below a file",
        "sftp rename a folder over a file",
        "sftp rename over a folder", "sftp rename what is not", "sftp rm a folder", "sftp rm what is not",
        "sftp rmdir a file", "sftp rmdir full", "sftp too long name", "sftp dangling link",
    ),
    "libssh": (
        "list nothing", "mkdir again", "readlink of a file", "rename nothing", "rmdir full", "stat of nothing",
        "symlink over", "unlink nothing", "write what is there",
    ),
}

KNOWN = {
    DIFFERENT: {
        "paramiko": {
            "TestSFTP.test_check": "we have check-file, OpenSSH has not",
            "TestSFTP.test_getcwd": "the test expects the served folder to be the root: with us it is, OpenSSH shows "
            "the whole machine",
            "TestSFTP.test_symlink": "an absolute target is kept as a relative one, so that the link leads to the same "
            "file for whoever looks at the tree from elsewhere; the test wants the very same text back",
        },
        "clients": {
            "lftp mv over": WORDS,
            "lftp rmdir full": WORDS,
            "sftp copy over itself": "both names are one file: OpenSSH empties it before it reads, here nothing is "
            "lost",
        },
    },
    FAILS_AT_BOTH: {
        "ssh-audit": {
            "kex.ecdh-sha2-nistp256": "OpenSSH offers it, too: what the auditor has is a suspicion, and clients that "
            "may use only approved curves have nothing else",
        },
        **{suite: dict.fromkeys(names, REFUSED) for suite, names in REFUSALS.items()},
    },
}
