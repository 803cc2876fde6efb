"""Cases that stay as they are, each with its reason: state → suite → pattern of the case's name → why."""

from outcomes import DIFFERENT, FAILS_AT_BOTH

WORDS = "the status is the same, the words that come with it say more"
REFUSED = "what is asked for cannot be, and the refusal is what is compared"
AS_ROOT = "it wants to be refused by rights of the file system, and both servers run as root here"
ROOT = "it expects the served folder to be the root of a machine: with us it is the root of all that is there, " \
    "OpenSSH shows the whole machine"
ATOMIC = "it looks at the file from the other side while that is still written: here a file has its name when it is " \
    "complete"
OWN_WORDS = "it wants the very words of asyncssh's own server"

# Steps of ordinary clients that have to be refused.
REFUSALS = {
    "clients": (
        "curl get nothing", "curl put into no folder", "curl rename over", "curl rm nothing", "curl rmdir full",
        "lftp cd nothing", "lftp rm nothing", "rclone delete nothing", "rclone rmdir full",
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
            "TestSFTP.test_getcwd": ROOT,
            "TestSFTP.test_symlink": "an absolute target is kept as a relative one, so that the link leads to the same "
            "file for whoever looks at the tree from elsewhere; the test wants the very same text back",
        },
        "asyncssh": {
            "TestSFTP.test_chmod": "set-user-id, set-group-id and sticky bits are not given to what is served",
            "TestSFTP.test_copy_preserve_link": "Linux has no permission bits of a link: OpenSSH sets nothing then and "
            "refuses, here the times that come with them are set",
            "TestSFTP.test_file_chown": ATOMIC,
            "TestSFTP.test_file_setstat": ATOMIC,
            "TestSFTP.test_file_stat": ATOMIC,
            "TestSFTP.test_file_utime": ATOMIC,
            "TestSFTP.test_makedirs_no_parent_perms": ROOT,
            "TestSFTP.test_unknown_request": "OpenSSH gives no answer to a request that it does not know, and the "
            "client waits for ever",
        },
        "ssh-audit": {
            "key.ecdsa-sha2-nistp256": "OpenSSH makes such a key by itself, too, only the one here has none: what the "
            "auditor has is a suspicion, and there are clients that know no newer kind",
        },
        "clients": {
            "lftp mv over": WORDS,
            "lftp rmdir full": WORDS,
            "sftp copy over itself": "both names are one file: OpenSSH empties it before it reads, here nothing is "
            "lost",
        },
    },
    FAILS_AT_BOTH: {
        "asyncssh": {
            "TestSCP.test_*_error_handler*": OWN_WORDS,
            "TestSCP.test_get_not_permitted": AS_ROOT,
            "TestSCP.test_invalid_*_argument": OWN_WORDS,
            "TestSCP.test_invalid_argument": OWN_WORDS,
            "TestSCP.test_missing_*": OWN_WORDS,
            "TestSFTP.test_empty_request_range": "which ranges of a file have data is told by an extension of "
            "asyncssh's own",
            "TestSFTP.test_invalid_handle": "it begins with a request of asyncssh's own extension, without which the "
            "client asks nothing",
            "TestSFTP.test_malformed_open_request": "a request that is cut ends the channel, asyncssh's own server "
            "goes on",
            "TestSFTP.test_open_read_not_permitted": AS_ROOT,
            "TestSFTP.test_rmtree_*_failure": AS_ROOT,
            "TestSFTP.test_set_size_no_follow_symlinks_error": "that a link has no length to set is told by the status "
            "of a bad request, as OpenSSH's server has it",
        },
        "curl": {
            "test615": AS_ROOT,
            "test1459": "from what it finds among the known hosts, curl asks for an RSA key that signs with SHA-1, "
            "which neither server has",
        },
        "ssh-audit": {
            "kex.ecdh-sha2-nistp256": "OpenSSH offers it, too: what the auditor has is a suspicion, and clients that "
            "may use only approved curves have nothing else",
        },
        **{suite: dict.fromkeys(names, REFUSED) for suite, names in REFUSALS.items()},
    },
}
