"""Cases of WebDAV that stay as they are, each with its reason: state → suite → pattern of the case's name → why."""

from outcomes import FAILS_AT_BOTH

KNOWN = {
    FAILS_AT_BOTH: {
        "davfs2": {
            "list a folder": "davfs2 1.6.1 answers this kernel's question for a folder's entries with something that "
                             "the kernel refuses (EINVAL), whatever the server said",
        },
        "kio": {
            "copy there": "kioclient has no place for the login of a COPY but a window, and nobody sits before it",
        },
    },
}
