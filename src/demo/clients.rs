//! Files beside the demo that let other people's clients in without questions, and the lines to paste.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use data_encoding::BASE64;

use crate::model::Secret;
use crate::tree::file;

/// The certificate's name among those that davfs2 trusts by name.
const DAVFS_CERTIFICATE: &str = "causeway-demo.pem";

/// What the printed lines need.
#[derive(Debug)]
pub struct Clients {
    folder: PathBuf,
    certificate: PathBuf,
    user: &'static str,
    password: Secret,
    https: SocketAddr,
    sftp: Option<SocketAddr>,
}

/// One line to paste.
#[derive(Debug, Clone)]
pub struct Line {
    /// What it uses.
    pub label: &'static str,
    /// What to paste.
    pub command: String,
}

impl Clients {
    /// Writes `known_hosts`, `netrc`, `rclone.conf`, `davfs2.conf` and `davfs2.secrets` into `folder`. The key that
    /// SFTP uses (`id_ed25519`) must be there already.
    ///
    /// # Errors
    /// Those of writing.
    pub fn write(
        folder: &Path,
        certificate: &Path,
        (user, password): (&'static str, &Secret),
        (https, sftp): (SocketAddr, Option<SocketAddr>),
        host_keys: &[String],
    ) -> io::Result<Self> {
        let clients = Self {
            folder: folder.to_path_buf(),
            certificate: certificate.to_path_buf(),
            user,
            password: password.clone(),
            https,
            sftp,
        };
        clients.put("known_hosts", &clients.known_hosts(host_keys))?;
        clients.put("rclone.conf", &clients.rclone())?;
        clients.put("netrc", &format!("machine localhost login {user} password {}\n", password.expose()))?;
        let secrets = std::path::absolute(folder)?.join("davfs2.secrets");
        clients.put(
            "davfs2.conf",
            &format!(
                "# for mount -t davfs -o conf=…\nuse_locks 1\nask_auth 0\nsecrets {}\ntrust_ca_cert {DAVFS_CERTIFICATE}\n",
                secrets.display()
            ),
        )?;
        clients.put("davfs2.secrets", &format!("{} {user} {}\n", clients.dav(), password.expose()))?;
        Ok(clients)
    }

    fn put(&self, name: &str, text: &str) -> io::Result<()> {
        file::write_private(&self.folder.join(name), text.as_bytes())
    }

    fn known_hosts(&self, host_keys: &[String]) -> String {
        let Some(sftp) = self.sftp else { return String::new() };
        host_keys.iter().map(|key| format!("[{}]:{} {key}\n", sftp.ip(), sftp.port())).collect()
    }

    /// rclone wants passwords obscured in its own way; a header needs none of that.
    fn rclone(&self) -> String {
        let basic = BASE64.encode(format!("{}:{}", self.user, self.password.expose()).as_bytes());
        format!(
            "[causeway]\ntype = webdav\nurl = {}\nvendor = other\nheaders = Authorization,Basic {basic}\n",
            self.dav()
        )
    }

    /// The dashboard's address.
    #[must_use]
    pub fn dashboard(&self) -> String {
        format!("https://localhost:{}/", self.https.port())
    }

    fn dav(&self) -> String {
        format!("{}dav/", self.dashboard())
    }

    /// Lines that work as they are.
    #[must_use]
    pub fn lines(&self) -> Vec<Line> {
        let (folder, certificate) = (self.folder.display(), self.certificate.display());
        let user = self.user;
        let absolute = std::path::absolute(&self.folder).unwrap_or_else(|_| self.folder.clone());
        let mut lines = Vec::new();
        if let Some(sftp) = self.sftp {
            lines.push(Line {
                label: "sftp",
                command: format!(
                    "sftp -i {folder}/id_ed25519 -o UserKnownHostsFile={folder}/known_hosts -P {} {user}@{}",
                    sftp.port(),
                    sftp.ip()
                ),
            });
        }
        lines.push(Line {
            label: "curl",
            command: format!(
                "curl --cacert {certificate} --netrc-file {folder}/netrc -O {}files/legacy/backup/warehouse-full.dump",
                self.dashboard()
            ),
        });
        lines.push(Line {
            label: "rclone",
            command: format!("rclone --config {folder}/rclone.conf --ca-cert {certificate} lsf causeway:legacy"),
        });
        lines.push(Line {
            label: "WebDAV",
            // davfs2 works as a user of its own, who may not look into the data folder.
            command: format!(
                "install -m 644 {certificate} /etc/davfs2/certs/{DAVFS_CERTIFICATE} && \
                 mount -t davfs -o conf={}/davfs2.conf {} /mnt",
                absolute.display(),
                self.dav()
            ),
        });
        lines
    }
}
