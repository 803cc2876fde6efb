"""Differences from OpenSSH that stay, each with its reason: suite → pattern of the case's name → why."""

WORDS = "the status is the same, the words that come with it say more"

KNOWN = {
    "ssh-audit": {
        "kex.ecdh-sha2-nistp256": "OpenSSH offers it, too: what the auditor has is a suspicion, and clients that may "
        "use only approved curves have nothing else",
    },
    "paramiko": {
        "TestSFTP.test_check": "we have check-file, OpenSSH has not",
        "TestSFTP.test_getcwd": "the test expects the served folder to be the root: with us it is, OpenSSH shows the "
        "whole machine",
        "TestSFTP.test_symlink": "an absolute target is kept as a relative one, so that the link leads to the same "
        "file for whoever looks at the tree from elsewhere; the test wants the very same text back",
    },
    "clients": {
        "lftp mv over": WORDS,
        "lftp rmdir full": WORDS,
        "sftp copy over itself": "both names are one file: OpenSSH empties it before it reads, here nothing is lost",
    },
}
