"""Walks through the SFTP functions of libssh, of whose tests no package has anything that can be run.

    libssh_walk.py LIBRARY

Says what each step returned, as JSON: name → `said STATUS: …`, where a status that is not 0 is libssh's or SFTP's."""

import ctypes
import json
import os
import sys

# Of `enum ssh_options_e`.
HOST, PORT, USER, KNOWN_HOSTS = 0, 1, 4, 8
CONTENT = bytes(range(256)) * 1000
PIECE = 30_000


class Attributes(ctypes.Structure):
    """The beginning of `struct sftp_attributes_struct`."""

    _fields_ = (("name", ctypes.c_char_p), ("longname", ctypes.c_char_p), ("flags", ctypes.c_uint32),
                ("type", ctypes.c_uint8), ("size", ctypes.c_uint64), ("uid", ctypes.c_uint32),
                ("gid", ctypes.c_uint32), ("owner", ctypes.c_char_p), ("group", ctypes.c_char_p),
                ("permissions", ctypes.c_uint32), ("atime64", ctypes.c_uint64), ("atime", ctypes.c_uint32),
                ("atime_nseconds", ctypes.c_uint32), ("createtime", ctypes.c_uint64),
                ("createtime_nseconds", ctypes.c_uint32), ("mtime64", ctypes.c_uint64), ("mtime", ctypes.c_uint32))


class Walk:
    def __init__(self, library):
        self.lib = ctypes.CDLL(library)
        for name in ("ssh_new", "sftp_new", "sftp_open", "sftp_opendir", "sftp_statvfs", "sftp_fstatvfs"):
            getattr(self.lib, name).restype = ctypes.c_void_p
        for name in ("sftp_stat", "sftp_lstat", "sftp_fstat", "sftp_readdir"):
            getattr(self.lib, name).restype = ctypes.POINTER(Attributes)
        for name in ("sftp_readlink", "sftp_canonicalize_path", "ssh_get_error"):
            getattr(self.lib, name).restype = ctypes.c_char_p
        for name in ("sftp_read", "sftp_write"):
            getattr(self.lib, name).restype = ctypes.c_ssize_t
        self.lib.sftp_tell64.restype = ctypes.c_uint64
        self.told = {}

    def connect(self):
        self.session = ctypes.c_void_p(self.lib.ssh_new())
        for option, value in ((HOST, "HOST"), (USER, "USER"), (KNOWN_HOSTS, "KNOWN_HOSTS")):
            assert self.lib.ssh_options_set(self.session, option, os.environ[f"DOOR_{value}"].encode()) == 0
        port = ctypes.c_uint(int(os.environ["DOOR_PORT"]))
        assert self.lib.ssh_options_set(self.session, PORT, ctypes.byref(port)) == 0
        assert self.lib.ssh_connect(self.session) == 0, self.lib.ssh_get_error(self.session)
        assert self.lib.ssh_session_is_known_server(self.session) == 1, "another host key"
        key = ctypes.c_void_p()
        assert self.lib.ssh_pki_import_privkey_file(os.environ["DOOR_KEY"].encode(), None, None, None,
                                                    ctypes.byref(key)) == 0
        assert self.lib.ssh_userauth_publickey(self.session, None, key) == 0, self.lib.ssh_get_error(self.session)
        self.sftp = ctypes.c_void_p(self.lib.sftp_new(self.session))
        assert self.lib.sftp_init(self.sftp) == 0, self.lib.ssh_get_error(self.session)

    def call(self, name, *arguments):
        """A function whose first argument is the session: 0 or the status of SFTP."""
        words = [one.encode() if isinstance(one, str) else one for one in arguments]
        done = getattr(self.lib, f"sftp_{name}")(self.sftp, *words)
        return 0 if done == 0 else self.lib.sftp_get_error(self.sftp) or done

    def tell(self, step, status, words=""):
        self.told[step] = f"said {status}: {words}"

    def steps(self, name, *calls):
        """Several functions one after the other."""
        done = [self.call(*one) for one in calls]
        self.tell(name, next((status for status in done if status != 0), 0), done)

    def file(self, path, flags, mode=0o644):
        return ctypes.c_void_p(self.lib.sftp_open(self.sftp, path.encode(), flags, mode))

    def look(self, step, function, path):
        found = getattr(self.lib, f"sftp_{function}")(self.sftp, path.encode())
        if found:
            one = found.contents
            size = one.size if one.type == 1 else "any"
            self.tell(step, 0, f"type {one.type} mode {one.permissions:o} size {size}")
        else:
            self.tell(step, self.lib.sftp_get_error(self.sftp))

    def named(self, step, function, path):
        found = getattr(self.lib, f"sftp_{function}")(self.sftp, path.encode())
        # Where the served folder lies is another thing at each server.
        words = (found or b"").decode().removeprefix(os.environ["DOOR_TOP"])
        self.tell(step, 0 if found else self.lib.sftp_get_error(self.sftp), words)

    def write(self):
        file = self.file("file", os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        sent = [self.lib.sftp_write(file, CONTENT[at : at + PIECE], min(PIECE, len(CONTENT) - at))
                for at in range(0, len(CONTENT), PIECE)]
        synced = self.lib.sftp_fsync(file)
        self.tell("write", 0 if sum(sent) == len(CONTENT) else 1, f"fsync {synced} close {self.lib.sftp_close(file)}")
        self.tell("write what is there", 0 if self.file("file", os.O_WRONLY | os.O_CREAT | os.O_EXCL)
                  else self.lib.sftp_get_error(self.sftp))

    def read(self):
        file, data, buffer = self.file("file", os.O_RDONLY), b"", ctypes.create_string_buffer(PIECE)
        while (count := self.lib.sftp_read(file, buffer, PIECE)) > 0:
            data += buffer.raw[:count]
        self.tell("read", 0 if data == CONTENT else 1, f"{len(data)} bytes, at last {count}")
        self.lib.sftp_seek64(file, ctypes.c_uint64(1000))
        count = self.lib.sftp_read(file, buffer, 100)
        self.tell("seek", 0 if buffer.raw[:count] == CONTENT[1000:1100] else 1, f"at {self.lib.sftp_tell64(file)}")
        self.lib.sftp_rewind(file)
        asked = [self.lib.sftp_async_read_begin(file, PIECE) for _ in range(len(CONTENT) // PIECE + 2)]
        data = b""
        for number in asked:
            count = self.lib.sftp_async_read(file, buffer, PIECE, number)
            data += buffer.raw[: max(count, 0)]
        self.tell("read ahead", 0 if data == CONTENT else 1, f"{len(data)} bytes, at last {count}")
        self.tell("fstatvfs", 0 if self.lib.sftp_fstatvfs(file) else 1)
        self.tell("close", self.lib.sftp_close(file))

    def overwrite(self):
        file = self.file("file", os.O_RDWR)
        self.lib.sftp_seek64(file, ctypes.c_uint64(10))
        self.lib.sftp_write(file, b"----", 4)
        self.lib.sftp_close(file)
        buffer = ctypes.create_string_buffer(20)
        file = self.file("file", os.O_RDONLY)
        count = self.lib.sftp_read(file, buffer, 20)
        self.tell("overwrite", self.lib.sftp_close(file), buffer.raw[:count].hex())

    def listing(self, step, path):
        folder = ctypes.c_void_p(self.lib.sftp_opendir(self.sftp, path.encode()))
        if not folder:
            self.tell(step, self.lib.sftp_get_error(self.sftp))
            return
        names = []
        while found := self.lib.sftp_readdir(self.sftp, folder):
            names.append(f"{found.contents.name.decode()} {found.contents.type}")
        ended = self.lib.sftp_dir_eof(folder)
        self.tell(step, self.lib.sftp_closedir(folder), f"{', '.join(sorted(names))}, ended {ended}")

    def everything(self):
        self.connect()
        self.tell("version", 0, self.lib.sftp_server_version(self.sftp))
        self.steps("mkdir", ("mkdir", "dir", 0o750))
        self.steps("mkdir again", ("mkdir", "dir", 0o750))
        self.look("stat of a folder", "stat", "dir")
        self.write()
        self.read()
        self.overwrite()
        self.look("stat", "stat", "file")
        self.look("stat of nothing", "stat", "none")
        self.steps("chmod", ("chmod", "file", 0o604))
        self.steps("utimes", ("utimes", "file", (ctypes.c_long * 4)(10**9, 0, 2 * 10**9, 0)))
        self.look("after that", "stat", "file")
        # libssh takes the order of its two paths from the server's name.
        self.steps("symlink", ("symlink", "file", "link"))
        self.named("readlink", "readlink", "link")
        self.look("lstat of a link", "lstat", "link")
        self.look("stat of a link", "stat", "link")
        self.steps("symlink over", ("symlink", "file", "link"))
        self.named("readlink of a file", "readlink", "file")
        self.named("canonicalize", "canonicalize_path", "dir/../dir/./none")
        self.steps("rename", ("rename", "file", "dir/moved"))
        self.steps("rename nothing", ("rename", "file", "dir/moved"))
        self.listing("list", "dir")
        self.listing("list nothing", "none")
        self.steps("rmdir full", ("rmdir", "dir"))
        self.tell("statvfs", 0 if self.lib.sftp_statvfs(self.sftp, b"dir") else 1)
        self.steps("unlink", ("unlink", "link"), ("unlink", "dir/moved"))
        self.steps("unlink nothing", ("unlink", "link"))
        self.steps("rmdir", ("rmdir", "dir"))
        self.lib.ssh_disconnect(self.session)


def main():
    walk = Walk(sys.argv[1])
    try:
        walk.everything()
    finally:
        print(json.dumps(walk.told))


if __name__ == "__main__":
    main()
