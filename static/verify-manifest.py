#!/usr/bin/env python3
"""Verifies a Causeway manifest without Causeway: verify-manifest.py MANIFEST [--key ed25519:HEX] [--tree DIR]
Exit status: 0 all is well, 1 the tree is not what the manifest says, 2 the manifest cannot be believed."""
import argparse, hashlib, json, os, sys
P, L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493  # Ed25519: RFC 8032, section 5.1
D = -121665 * pow(121666, P - 2, P) % P
def point(b):  # 5.1.3; extended coordinates
    n = int.from_bytes(b, "little"); y, sign = n & (1 << 255) - 1, n >> 255
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(x2, (P + 3) // 8, P)
    x = x if (x * x - x2) % P == 0 else x * pow(2, (P - 1) // 4, P) % P
    if len(b) != 32 or y >= P or (x * x - x2) % P or (x == 0 and sign): raise ValueError("not a point of the curve")
    return (x, y, 1, x * y % P) if x & 1 == sign else (P - x, y, 1, (P - x) * y % P)
def add(p, q):  # 5.1.4
    a, b, c, d = (p[1]-p[0])*(q[1]-q[0]), (p[1]+p[0])*(q[1]+q[0]), 2*p[3]*q[3]*D, 2*p[2]*q[2]
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % P, g * h % P, f * g % P, e * h % P)
def mul(s, p, r=(0, 1, 1, 0)):
    while s: r, p, s = (add(r, p) if s & 1 else r), add(p, p), s >> 1
    return r
def signed(key, text, sig):  # 5.1.7
    s, base = int.from_bytes(sig[32:], "little"), point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))
    k = int.from_bytes(hashlib.sha512(sig[:32] + key + text).digest(), "little") % L
    l, r = mul(s, base), add(point(sig[:32]), mul(k, point(key)))
    return len(sig) == 64 and s < L and (l[0]*r[2] - r[0]*l[2]) % P == 0 == (l[1]*r[2] - r[1]*l[2]) % P
def refuse(why): print("not to be believed:", why); sys.exit(2)
def raw(entry): return bytes.fromhex(entry["path_hex"]) if "path_hex" in entry else entry["path"].encode()
def entries(path):  # every file of the manifest, then its signature, which covers all lines before it
    sha, seal = hashlib.sha256(), None
    with open(path, "rb") as f:
        for number, line in enumerate(f):
            entry = json.loads(line) if line.endswith(b"\n") and not seal else refuse("its end is not where it should be")
            seal = entry.get("seal"); sha.update(b"" if seal else line)
            if number == 0 and entry.get("causeway_manifest") != 1: refuse("it is no manifest of format 1")
            if number and not seal and "total" not in entry: yield entry
    if not seal: refuse("it is cut off: its signature is missing")
    if seal["sha256"] != sha.hexdigest(): refuse("it was changed after it was signed")
    if args.key and args.key != seal["key"]: refuse("it was signed by another key: " + seal["key"])
    key, text = bytes.fromhex(seal["key"].split(":")[1]), b"causeway manifest 1\nsha256 %s\n" % seal["sha256"].encode()
    if not signed(key, text, bytes.fromhex(seal["signature"])): refuse("its signature is wrong")
def differs(path, entry):
    if os.path.islink(path) or not os.path.isfile(path): return "different" if os.path.lexists(path) else "missing"
    sha, wanted = hashlib.sha256(), entry["digests"].get("sha-256")
    with open(path, "rb") as f:
        while wanted and (block := f.read(1 << 20)): sha.update(block)
    return None if entry["size"] in (None, os.path.getsize(path)) and wanted in (None, sha.hexdigest()) else "different"
parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("manifest"); parser.add_argument("--key"); parser.add_argument("--tree", type=os.fsencode)
args, bad, known = parser.parse_args(), 0, set()
try: print("the signature is right:", sum(1 for _ in entries(args.manifest)), "files")
except Exception as error: refuse(error)
for entry in entries(args.manifest) if args.tree else ():
    known.add(raw(entry)); what = differs(os.path.join(args.tree, raw(entry)), entry)
    if what: bad += 1; print(what + ":", entry["path"].encode(errors="backslashreplace").decode())
for folder, below, names in os.walk(args.tree, onerror=lambda e: refuse(e)) if args.tree else ():
    names += [name for name in below if os.path.islink(os.path.join(folder, name))]
    below[:] = [name for name in below if not name.startswith(b".causeway-")]
    for path in (os.path.relpath(os.path.join(folder, name), args.tree) for name in sorted(names)):
        if path not in known and not os.path.basename(path).startswith(b".causeway-"): bad += 1; print("extra:", path.decode(errors="backslashreplace"))
sys.exit(1 if bad else 0)
