"""HTTP servers at the far end of a link: those of Causeway, nginx, Apache, Caddy, rclone and dufs, each over a folder,
in the clear or with TLS 1.3 and the same kind of certificate. None writes an access log."""

import base64
import hashlib
import os
import subprocess

import http_peers
import served
import tools

USER, PASSWORD = "anna", "open-sesame"
PORT = 8443
# What is measured is never a limit that somebody set.
CAUSEWAY = """data = "{folder}/data"
tree = "{root}"
[https]
listen = "{host}:{port}"
certificate = "{folder}/cert.pem"
key = "{folder}/key.pem"
[sftp]
listen = "127.0.0.1:0"
[limits]
connections = 4096
connections-per-address = 4096
streams-per-address = 100000
requests-per-account = 1000000
"""
NGINX = """load_module {modules}/ngx_http_dav_ext_module.so;
daemon off;
user root;
pid {folder}/pid;
error_log stderr;
worker_processes {processors};
worker_rlimit_nofile 16384;
events {{ worker_connections 8192; }}
http {{
  access_log off;
  sendfile on;
  tcp_nopush on;
  default_type application/octet-stream;
  keepalive_requests 10000000;
  keepalive_timeout 600;
  client_max_body_size 0;
  client_body_temp_path {root}.temp;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  dav_ext_lock_zone zone=locks:1m;
  server {{
    listen {host}:{port}{tls};
    root {root};
    location / {{
      dav_methods PUT DELETE MKCOL COPY MOVE;
      dav_ext_methods PROPFIND OPTIONS LOCK UNLOCK;
      dav_ext_lock zone=locks;
      {login}
    }}
  }}
}}
"""
NGINX_TLS = """ ssl http2;
    ssl_certificate {folder}/cert.pem;
    ssl_certificate_key {folder}/key.pem;
    ssl_protocols TLSv1.3"""
APACHE_MODULES = ("mpm_event", "authz_core", "dav", "dav_fs", "mime", "http2", "ssl", "socache_shmcb")
APACHE = """ServerRoot {folder}
ServerName localhost
PidFile {folder}/pid
ErrorLog {folder}/words
LogLevel crit
Mutex posixsem
User daemon
Group daemon
Listen {host}:{port}
StartServers 2
ServerLimit 40
ThreadsPerChild 64
MaxRequestWorkers 2560
KeepAliveTimeout 600
MaxKeepAliveRequests 0
Protocols {protocols}
EnableSendfile On
DocumentRoot {root}
DavLockDB {folder}/state/lock
{tls}
<Directory {root}>
Dav On
LimitRequestBody 0
Require all granted
</Directory>
"""
APACHE_TLS = """SSLEngine on
SSLProtocol TLSv1.3
SSLSessionCache shmcb:{folder}/state/sessions
SSLCertificateFile {folder}/cert.pem
SSLCertificateKeyFile {folder}/key.pem"""
CADDY = """{{
  admin off
  auto_https off
  persist_config off
  servers {{
    protocols h1 h2 h2c h3
  }}
}}
{scheme}://{host}:{port} {{
  {tls}
  root * {root}
  file_server
}}
"""


class Server(served.Served):
    """Of HTTP. `encrypted`: with TLS, or all in the clear."""

    port = PORT
    # Where what it serves is, for one who reads and for one who writes.
    reading = writing = "/"
    # What it does not do.
    has_h3 = False
    has_h2 = is_writable = has_clear = has_propfind = True
    # Only these parts of the benchmark tell something of it; empty: all.
    parts = ()

    def __init__(self, net, root, program=None, encrypted=True):
        super().__init__(net, root, program)
        self.encrypted = encrypted

    def equip(self):
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        subject = ["-subj", "/CN=bench", "-addext", f"subjectAltName=IP:{self.net.host}", "-days", "9"]
        keep = ["-keyout", self.folder / "key.pem", "-out", self.folder / "cert.pem"]
        subprocess.run([*command, *subject, *keep], check=True, capture_output=True)

    @property
    def base(self):
        return f"{'https' if self.encrypted else 'http'}://{self.net.host}:{self.port}"

    def fill_in(self, text, **more):
        return text.format(folder=self.folder, root=self.root, host=self.net.host, port=self.port, **more)


class Causeway(Server):
    name = "causeway"
    has_h3 = True
    reading, writing = "/files/", "/dav/"
    has_clear = False

    def prepare(self):
        (self.folder / "causeway.toml").write_text(self.fill_in(CAUSEWAY))
        subprocess.run([self.program, "-c", self.folder / "causeway.toml", "account", "add", USER], check=True,
                       capture_output=True, env={**os.environ, "CAUSEWAY_PASSWORD": PASSWORD})

    def command(self):
        return [self.program, "-c", self.folder / "causeway.toml", "serve"]


class Nginx(Server):
    name = "nginx"
    login = ""

    def prepare(self):
        tls = self.fill_in(NGINX_TLS) if self.encrypted else ""
        (self.folder / "conf").write_text(self.fill_in(
            NGINX, modules=http_peers.NGINX_MODULES, processors=os.cpu_count(), tls=tls,
            login=self.fill_in(self.login)))

    def command(self):
        return http_peers.unpacked(http_peers.NGINX, "-e", "stderr", "-p", self.folder, "-c", self.folder / "conf")


class NginxWithLogin(Nginx):
    """As Causeway always does, it asks for a password with every request."""

    name = "nginx-login"
    login = 'auth_basic "bench"; auth_basic_user_file {folder}/passwords;'
    parts = ("small", "puts")

    def prepare(self):
        super().prepare()
        (self.folder / "passwords").write_text(f"{USER}:{salted(PASSWORD)}\n")


def salted(password, salt=b"bench"):
    """The cheapest form that nginx knows, beside the password itself."""
    digest = hashlib.sha1(password.encode() + salt).digest()
    return "{SSHA}" + base64.b64encode(digest + salt).decode()


class Apache(Server):
    name = "apache"

    def prepare(self):
        (self.folder / "state").mkdir()
        # It serves as daemon.
        for folder in (self.folder, self.folder / "state"):
            os.chmod(folder, 0o777)
        load = "".join(f"LoadModule {name}_module {http_peers.APACHE_MODULES}/mod_{name}.so\n"
                       for name in APACHE_MODULES)
        tls = self.fill_in(APACHE_TLS) if self.encrypted else ""
        protocols = "h2 http/1.1" if self.encrypted else "h2c http/1.1"
        (self.folder / "conf").write_text(load + self.fill_in(APACHE, tls=tls, protocols=protocols)
                                          + "TypesConfig /dev/null\n")

    def command(self):
        return [http_peers.APACHE, "-DFOREGROUND", "-f", self.folder / "conf"]


class Caddy(Server):
    name = "caddy"
    has_h3 = True
    is_writable = has_propfind = False

    def prepare(self):
        tls = self.fill_in("tls {folder}/cert.pem {folder}/key.pem") if self.encrypted else ""
        scheme = "https" if self.encrypted else "http"
        (self.folder / "Caddyfile").write_text(self.fill_in(CADDY, tls=tls, scheme=scheme))

    def command(self):
        return ["env", f"HOME={self.folder}", http_peers.CADDY, "run", "--config", self.folder / "Caddyfile",
                "--adapter", "caddyfile"]


class Rclone(Server):
    """Over TLS it does not offer HTTP/2. With no time for its cache of folders it would list a folder again for each of
    its entries."""

    name = "rclone"
    has_h2 = False

    def command(self):
        tls = ["--cert", self.folder / "cert.pem", "--key", self.folder / "key.pem"] if self.encrypted else []
        return [tools.RCLONE, "serve", "webdav", self.root, "--addr", f"{self.net.host}:{self.port}", *tls, "--config",
                self.folder / "none", "--vfs-cache-mode", "off"]


class Dufs(Server):
    name = "dufs"

    def command(self):
        tls = ["--tls-cert", self.folder / "cert.pem", "--tls-key", self.folder / "key.pem"] if self.encrypted else []
        return [http_peers.DUFS_PROGRAM, "-A", "-b", self.net.host, "-p", self.port, "--log-format", "", *tls,
                self.root]


SERVERS = {server.name: server for server in (Causeway, Nginx, NginxWithLogin, Apache, Caddy, Rclone, Dufs)}
