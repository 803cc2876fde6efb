"""WebDAV servers that are compared: those of Causeway, Apache, rclone, nginx and wsgidav, each with a login, over TLS,
with a certificate of its own for 127.0.0.1."""

import base64
import hashlib
import json

import http_servers
import web_peers
from http_servers import PASSWORD, USER

APACHE_MODULES = ("auth_basic", "authn_core", "authn_file", "authz_user")
APACHE_LOGIN = """<Location />
AuthType Basic
AuthName interop
AuthUserFile {folder}/passwords
Require valid-user
</Location>
"""


class Door:
    """What a suite has to know of a server; mixed into each."""

    # Where its folder is.
    mount = "/"
    user, password = USER, PASSWORD

    @property
    def url(self):
        return f"{self.base}{self.mount}"

    @property
    def certificate(self):
        """Its own authority."""
        return self.folder / "cert.pem"

    def environment(self):
        """For suites that are scripts, see suites/wire.py."""
        told = {"name": self.name, "host": self.net.host, "port": self.port, "mount": self.mount, "user": self.user,
                "password": self.password, "root": str(self.root), "certificate": str(self.certificate)}
        return {"INTEROP_DOOR": json.dumps(told)}


class Causeway(Door, http_servers.Causeway):
    mount = "/dav/"


class Apache(Door, http_servers.Apache):
    def prepare(self):
        super().prepare()
        load = "".join(f"LoadModule {name}_module {web_peers.APACHE_MODULES}/mod_{name}.so\n"
                       for name in APACHE_MODULES)
        conf = self.folder / "conf"
        conf.write_text(load + conf.read_text() + self.fill_in(APACHE_LOGIN))
        digest = base64.b64encode(hashlib.sha1(PASSWORD.encode()).digest()).decode()
        (self.folder / "passwords").write_text(f"{USER}:{{SHA}}{digest}\n")


class Rclone(Door, http_servers.Rclone):
    def command(self):
        return ["env", f"RCLONE_USER={USER}", f"RCLONE_PASS={PASSWORD}", *super().command(),
                # It sees within a second what is changed beside it.
                "--dir-cache-time", "1s"]


class Nginx(Door, http_servers.NginxWithLogin):
    name = "nginx"


class Wsgidav(Door, http_servers.Server):
    """With its own way of keeping properties and locks, both in memory."""

    name = "wsgidav"

    def prepare(self):
        settings = {
            "host": self.net.host, "port": self.port, "provider_mapping": {"/": str(self.root)}, "verbose": 1,
            "ssl_certificate": str(self.folder / "cert.pem"), "ssl_private_key": str(self.folder / "key.pem"),
            "ssl_adapter": "builtin", "property_manager": True, "lock_storage": True,
            "simple_dc": {"user_mapping": {"*": {USER: {"password": PASSWORD}}}},
            "http_authenticator": {"accept_basic": True, "accept_digest": False, "default_to_digest": False},
        }
        (self.folder / "conf.json").write_text(json.dumps(settings))

    def command(self):
        return [web_peers.PYTHON.with_name("wsgidav"), "--config", self.folder / "conf.json"]


DOORS = {door.name: door for door in (Causeway, Apache, Rclone, Nginx, Wsgidav)}

