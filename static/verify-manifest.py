#!/usr/bin/env python3
"""Verifies a Causeway manifest without Causeway: verify-manifest.py MANIFEST [--key ed25519:HEX] [--tree DIR]
Exit status: 0 all is well, 1 the tree is not what the manifest says, 2 the manifest cannot be believed, 3 BLAKE3 was not checked."""
import argparse, hashlib, importlib.util as util, json, os, shutil, stat, sys, tempfile
HASHES = {"sha-256": hashlib.sha256} | ({"blake3": __import__("blake3").blake3} if util.find_spec("blake3") else {})
P, L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493; D = -121665 * pow(121666, -1, P) % P  # RFC 8032, 5.1
def point(b):  # 5.1.3
    sign, y = divmod(int.from_bytes(b, "little"), 1 << 255); x2 = (y * y - 1) * pow(D * y * y + 1, -1, P) % P; x = pow(x2, (P + 3) // 8, P)
    x = x if (x * x - x2) % P == 0 else x * pow(2, (P - 1) // 4, P) % P
    if len(b) != 32 or y >= P or (x * x - x2) % P or (x == 0 and sign): raise ValueError("not a point of the curve")
    return (x if x & 1 == sign else P - x), y
def add(p, q):  # 5.1.4
    x, y, d = p[0] * q[1] + q[0] * p[1], p[1] * q[1] + p[0] * q[0], D * p[0] * q[0] * p[1] * q[1]
    return x * pow(1 + d, -1, P) % P, y * pow(1 - d, -1, P) % P
def mul(s, p): return add(mul(s // 2, add(p, p)), p if s & 1 else (0, 1)) if s else (0, 1)
def signed(key, text, sig, base=point((4 * pow(5, -1, P) % P).to_bytes(32, "little"))):  # 5.1.7
    s, k = (int.from_bytes(b, "little") for b in (sig[32:], hashlib.sha512(sig[:32] + key + text).digest()))
    return len(sig) == 64 and s < L and mul(s, base) == add(point(sig[:32]), mul(k % L, point(key)))
def refuse(why): print("not to be believed:", why); sys.exit(2)
def tell(what, path): found["bad"] = 1; print(what + ":", repr(os.fsdecode(path)))
def entries(copy):  # every file of the manifest, then its signature, which covers all lines before it
    sha, seal, total, last, files, size = hashlib.sha256(), None, None, b"", 0, copy.seek(0)
    for number, line in enumerate(copy):
        entry = json.loads(line) if line.endswith(b"\n") and not seal else refuse("its end is not where it should be")
        seal = entry["seal"] if total else None; sha.update(b"" if seal else line); total = total or entry.get("total")
        if number == 0 or total: number or entry.get("causeway_manifest") == 1 or refuse("it is no manifest of format 1"); continue
        raw = bytes.fromhex(entry["path_hex"]) if "path_hex" in entry else entry["path"].encode()
        if {b"", b".", b".."} & set(raw.split(b"/")) or raw <= last: refuse("a path is out of order, or of the tree: %r" % raw)
        last, files, size = raw, files + 1, size + (entry["size"] or 0); yield raw, entry["size"], entry["digests"]
    if not seal: refuse("it is cut off: its signature is missing")
    if total != {"files": files, "bytes": size}: refuse("its total is not what it holds: %d files, %d bytes" % (files, size))
    if seal["sha256"] != sha.hexdigest(): refuse("it was changed after it was signed")
    if (args.key or seal["key"]).strip() != seal["key"]: refuse("it was signed by another key: " + seal["key"])
    key, text = bytes.fromhex(seal["key"].split(":")[1]), b"causeway manifest 1\nsha256 %s\n" % seal["sha256"].encode()
    found.update(files=files, key=seal["key"]) if signed(key, text, bytes.fromhex(seal["signature"])) else refuse("its signature is wrong")
def differs(path, size, digests):  # a link is no folder, and only files have bytes
    hasher = next((HASHES[name]() for name in HASHES if name in digests), None); found["unsure"] += not hasher and "blake3" in digests
    if os.path.realpath(os.path.dirname(path)) != os.path.dirname(path): return "missing"
    if not stat.S_ISREG(os.lstat(path).st_mode): return "different"
    with open(path, "rb") as f:
        while hasher and (block := f.read(1 << 20)): hasher.update(block)
        return None if size in (None, f.seek(0, 2)) and (not hasher or hasher.hexdigest() in digests.values()) else "different"
def compare(copy, root, known):
    for raw, *told in entries(copy):
        try: known.add(raw); what = differs(os.path.join(root, raw), *told); what and tell(what, raw)
        except OSError as error: tell("missing" if error.errno in (2, 20) else "cannot be read", raw)  # ENOENT, ENOTDIR
    for folder, below, names in os.walk(root, onerror=lambda e: tell("cannot be read", os.path.relpath(e.filename, root))):
        names, below[:] = ([n for n in some if not n.startswith(b".causeway-")] for some in (names, below))  # Causeway's own
        names += [n for n in below if os.path.islink(os.path.join(folder, n))]
        for path in (os.path.relpath(os.path.join(folder, n), root) for n in sorted(names)): path in known or tell("extra", path)
parser, found = argparse.ArgumentParser(description=__doc__), {"unsure": 0}; sys.stdout.reconfigure(errors="backslashreplace")
args = [parser.add_argument(name) for name in ("manifest", "--key", "--tree")] and parser.parse_args()
try:
    with open(args.manifest, "rb") as f, tempfile.TemporaryFile() as copy:  # which nobody else writes to
        shutil.copyfileobj(f, copy); sum(1 for _ in entries(copy))
        print("the signature is right: %(files)d files, signed by %(key)s" % found)
        args.key or print("warning: whose key that is was not checked: give the one that you expect with --key")
        if args.tree: os.chdir(args.tree); compare(copy, os.getcwdb(), set())
except Exception as error: refuse(error)
sys.exit((found["unsure"] and (print("not checked: the BLAKE3 of %(unsure)d files takes the Python package blake3" % found) or 3), 1)["bad" in found])
