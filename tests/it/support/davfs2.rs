//! A WebDAV folder mounted by davfs2, as an administrator of a desktop would.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::skip::not_run;

/// A mount; ended, with everything uploaded, by [`Mount::end`] or when dropped.
pub struct Mount {
    work: tempfile::TempDir,
    mounted: bool,
}

impl Mount {
    /// Mounts `url`, whose certificate is `certificate`, with a name and a password. None where the machine cannot
    /// mount, which is written down; the inner error is what davfs2 says.
    pub fn of(url: &str, certificate: &Path, (name, password): (&str, &str)) -> Option<Result<Self, String>> {
        if !can_mount() {
            return None;
        }
        let work = tempfile::tempdir().unwrap();
        let at = |name: &str| work.path().join(name);
        std::fs::create_dir(at("mnt")).unwrap();
        std::fs::create_dir(at("cache")).unwrap();
        let own = Command::new("chown").arg("root:davfs2").arg(at("cache")).status();
        assert!(own.is_ok_and(|status| status.success()), "davfs2 is missing: `tests/run setup` installs it");
        std::fs::copy(certificate, at("ca.pem")).unwrap();
        std::fs::write(at("secrets"), format!("{url} {name} \"{password}\"\n")).unwrap();
        for (mode, path) in [("755", work.path().to_owned()), ("775", at("cache")), ("600", at("secrets"))] {
            assert!(Command::new("chmod").arg(mode).arg(path).status().unwrap().success());
        }
        assert!(Command::new("chmod").arg("644").arg(at("ca.pem")).status().unwrap().success());
        let (secrets, cache, ca) = (at("secrets"), at("cache"), at("ca.pem"));
        let settings = format!(
            "secrets {}\ncache_dir {}\ntrust_ca_cert {}\ndelay_upload 0\nask_auth 0\nif_match_bug 0\n",
            secrets.display(),
            cache.display(),
            ca.display()
        );
        std::fs::write(at("conf"), settings).unwrap();
        let option = format!("conf={},uid=0,gid=0", at("conf").display());
        let mut mount = Command::new("mount");
        mount.args(["-t", "davfs", "-o", &option, url]).arg(at("mnt"));
        Self::mounted(work, &mount)
    }

    /// Mounts by a line of an fstab: `install` is told the folder that has `mnt` in it, and tells the fstab.
    pub fn by_fstab(install: impl FnOnce(&Path) -> PathBuf) -> Option<Result<Self, String>> {
        if !can_mount() {
            return None;
        }
        let work = tempfile::tempdir().unwrap();
        std::fs::create_dir(work.path().join("mnt")).unwrap();
        assert!(Command::new("chmod").arg("755").arg(work.path()).status().unwrap().success());
        let fstab = install(work.path());
        let mut mount = Command::new("mount");
        mount.arg("-T").arg(fstab).arg(work.path().join("mnt"));
        Self::mounted(work, &mount)
    }

    fn mounted(work: tempfile::TempDir, mount: &Command) -> Option<Result<Self, String>> {
        let mut limited = Command::new("timeout");
        let output = limited.arg("30").arg(mount.get_program()).args(mount.get_args()).output().unwrap();
        if output.status.success() {
            return Some(Ok(Self { work, mounted: true }));
        }
        let why = String::from_utf8_lossy(&output.stderr).into_owned();
        if why.contains("permitted") || why.contains("fuse") {
            not_run("a davfs2 mount", &why);
            return None;
        }
        Some(Err(why))
    }

    /// Where it is mounted.
    pub fn path(&self) -> PathBuf {
        self.work.path().join("mnt")
    }

    /// Unmounts it, once everything is uploaded.
    pub fn end(mut self) {
        assert!(self.unmount(), "the mount ends, with everything uploaded");
    }

    fn unmount(&mut self) -> bool {
        self.mounted = false;
        Command::new("timeout").args(["60", "umount"]).arg(self.path()).status().is_ok_and(|status| status.success())
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        if self.mounted {
            self.unmount();
        }
    }
}

/// Whether this machine lets us; written down where it does not.
fn can_mount() -> bool {
    let root = Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n");
    let can = root && Path::new("/dev/fuse").exists();
    if !can {
        not_run("a davfs2 mount", "no /dev/fuse, or not root");
    }
    can
}
