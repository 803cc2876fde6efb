"""What is injected into WebDAV: Apache's own settings, or a stub that ends TLS before it and changes one thing."""

from causes import QUICK
from servers import apache, davs

UPLOAD = (*QUICK, "--upload", ".")
BEFORE = 8443


def rewrite(condition, status):
    return f"RewriteEngine On\nRewriteCond {condition}\nRewriteRule ^ - [R={status},L]"


def stub(lab, kind, *more):
    """An Apache in the clear, and the stub before it."""
    apache(lab, port=80)
    lab.stub(kind, BEFORE, lab.dir / "both.pem", *more)
    return davs(lab, *UPLOAD, port=BEFORE)


def clean_dav(lab, turn):
    if turn % 2:
        return stub(lab, "https")
    apache(lab)
    return davs(lab, *UPLOAD)


def no_chunked(lab, turn):
    if turn % 2:
        # The empty answer, and one that keeps so much.
        return stub(lab, "hollow", 4096 * (turn // 2))
    apache(lab, rewrite("%{HTTP:Transfer-Encoding} chunked", (411, 400, 501, 413, 500)[turn // 2]))
    return davs(lab, *UPLOAD)


def idle_locks(lab, turn):
    if turn % 3 == 2:
        return stub(lab, "fakelock", f"opaquelocktoken:{turn}")
    if turn % 3:
        # It may not write there.
        apache(lab, locks="root")
    else:
        apache(lab, rewrite("%{REQUEST_METHOD} =LOCK", (405, 501, 500, 400)[turn // 3]))
    return davs(lab, *UPLOAD)


def no_locks(lab, turn):
    classes = ("1", "1, 3", "1,<http://apache.org/dav/propset/fs/1>")[turn % 3]
    refused = rewrite("%{REQUEST_METHOD} LOCK", (405, 501)[turn % 2])
    apache(lab, f"Header set DAV \"{classes}\" \"expr=%{{REQUEST_METHOD}} == 'OPTIONS'\"\n{refused}")
    return davs(lab, *(UPLOAD if turn % 4 else QUICK))


def no_ranges(lab, turn):
    apache(lab, ("MaxRanges none", "RequestHeader unset Range")[turn % 2])
    return davs(lab, *QUICK)


def no_webdav(lab, turn):
    if turn % 2:
        apache(lab)
        return davs(lab, *QUICK, path=f"/gone-{turn}")
    apache(lab, dav="Dav Off")
    return davs(lab, *QUICK)


CAUSES = {
    clean_dav: None,
    no_chunked: "no-chunked",
    idle_locks: "idle-locks",
    no_locks: "no-locks",
    no_ranges: "no-ranges",
    no_webdav: "no-webdav",
}
