"""asyncssh's SFTP server over a folder, for those who come with a key.

Its words: host, port, host key, authorised keys, folder."""

import asyncio
import os
import sys

import asyncssh


async def serve(host, port, key, authorised, root):
    await asyncssh.listen(host, int(port), server_host_keys=[key], authorized_client_keys=authorised,
                          sftp_factory=lambda channel: asyncssh.SFTPServer(channel, chroot=os.fsencode(root)))
    await asyncio.Event().wait()


asyncio.run(serve(*sys.argv[1:]))
