//! Where files live: a URL, its credentials and its options.

use std::fmt;
use std::net::SocketAddr;

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, percent_encode};
use serde::{Deserialize, Serialize};

use super::{Deadlines, Secret, ServerZone};

/// What is spoken to an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// `ftp://`: FTP in the clear (RFC 959).
    Ftp,
    /// `ftp+tls://`: FTP, then AUTH TLS (RFC 4217).
    FtpTls,
    /// `ftps://`: FTP inside TLS from the first byte (implicit, port 990).
    Ftps,
    /// `sftp://`: SSH file transfer, version 3.
    Sftp,
    /// `dav://`: WebDAV in the clear.
    Dav,
    /// `davs://`: WebDAV over TLS.
    Davs,
    /// A path on this machine.
    Local,
}

impl Protocol {
    /// Every value, in order.
    pub const ALL: &'static [Self] =
        &[Self::Ftp, Self::FtpTls, Self::Ftps, Self::Sftp, Self::Dav, Self::Davs, Self::Local];

    /// The URL's scheme; `file` for a local path.
    #[must_use]
    pub const fn scheme(self) -> &'static str {
        match self {
            Self::Ftp => "ftp",
            Self::FtpTls => "ftp+tls",
            Self::Ftps => "ftps",
            Self::Sftp => "sftp",
            Self::Dav => "dav",
            Self::Davs => "davs",
            Self::Local => "file",
        }
    }

    /// The protocol of a scheme.
    #[must_use]
    pub fn of_scheme(scheme: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|p| p.scheme() == scheme)
    }

    /// The port when the URL names none; 0 for a local path.
    #[must_use]
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Ftp | Self::FtpTls => 21,
            Self::Ftps => 990,
            Self::Sftp => 22,
            Self::Dav => 80,
            Self::Davs => 443,
            Self::Local => 0,
        }
    }

    /// The family that the reliability figures compare: "FTP", "SFTP", "WebDAV", "local".
    #[must_use]
    pub const fn family(self) -> &'static str {
        match self {
            Self::Ftp | Self::FtpTls | Self::Ftps => "FTP",
            Self::Sftp => "SFTP",
            Self::Dav | Self::Davs => "WebDAV",
            Self::Local => "local",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.scheme())
    }
}

/// Settings of one endpoint, all with sensible defaults.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct EndpointOptions {
    /// Most connections at once; none = as many as pay. Lowered by itself when the server says "too many".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connections: Option<u16>,
    /// The character set of names (an Encoding Standard label such as `gbk`); none = keep the bytes.
    pub charset: Option<String>,
    /// SHA-256 of the one certificate to accept, hexadecimal, instead of the public roots. SFTP: of the one host key,
    /// also as `SHA256:…`, and there is no other way to trust one.
    pub pin: Option<String>,
    /// A file of PEM certificates to trust beside the system's.
    pub ca_file: Option<String>,
    /// Accept any certificate. Said in every report.
    pub insecure: bool,
    /// Use the address that PASV announces instead of the control peer's.
    pub trust_pasv_address: bool,
    /// May an FTP server connect to us for small files? None: unless it runs on this machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active: Option<bool>,
    /// The zone of the clock that the server's listings show; none = a mirror learns it, and others take UTC for it.
    #[serde(alias = "zone-minutes", skip_serializing_if = "Option::is_none")]
    pub zone: Option<ServerZone>,
    /// A file that holds a private SSH key; the password is its passphrase, when it has one.
    pub key_file: Option<String>,
    /// The socket of an SSH agent, whose keys are offered when there is no `key-file`.
    pub agent: Option<String>,
    /// SFTP: the host that forwards to the server, as `user@host:port`; it is logged in to with the keys of the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jump: Option<String>,
    /// SHA-256 of that host's key, as `pin`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jump_pin: Option<String>,
    /// How long each kind of wait may take.
    pub deadlines: Deadlines,
    /// The SOCKS5 relay of this process that every connection goes over, in a drill; never stored.
    #[serde(skip)]
    pub relay: Option<SocketAddr>,
}

/// Where files live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// How to speak to it.
    pub protocol: Protocol,
    /// Host name or address; empty for a local path.
    pub host: String,
    /// TCP port; 0 for a local path.
    pub port: u16,
    /// Login name; empty = anonymous.
    pub user: String,
    /// Password, if one is known.
    pub password: Option<Secret>,
    /// The folder on the other side, raw bytes. FTP, SFTP: relative to the login folder, absolute
    /// when it begins with `/` (in a URL: `//`). WebDAV: from the server's root. Local: a path of this machine.
    pub root: Vec<u8>,
    /// Everything else.
    pub options: EndpointOptions,
}

/// Why a text is not an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// A scheme that nothing here speaks.
    #[error("'{0}://' is not a protocol that Causeway speaks: use ftp, ftp+tls, ftps, sftp, dav, davs or a path")]
    Scheme(String),
    /// The URL as a whole.
    #[error("the address is not a URL: {0}")]
    Url(String),
    /// A scheme without a host.
    #[error("the address names no host")]
    NoHost,
    /// Line breaks or NUL in user, password or path.
    #[error("the address holds a line break or a NUL in its {0}")]
    Control(&'static str),
    /// Query or fragment.
    #[error("the address has a '{0}': write it as %{1:02X} when it belongs to the path")]
    Extra(char, u8),
    /// A path with nothing in it.
    #[error("the address is empty")]
    Empty,
}

const PATH: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'%').add(b'<').add(b'>').add(b'?').add(b'`').add(b'\\');
const USERINFO: &AsciiSet =
    &PATH.add(b'/').add(b':').add(b';').add(b'=').add(b'@').add(b'[').add(b']').add(b'^').add(b'|');

impl Endpoint {
    /// Reads a URL or a plain path.
    ///
    /// # Errors
    /// Says what is wrong with the text; never repeats a password.
    pub fn parse(text: &str) -> Result<Self, EndpointError> {
        if text.is_empty() {
            return Err(EndpointError::Empty);
        }
        let Some((scheme, rest)) = text.split_once("://") else {
            return Ok(Self::local(text.as_bytes()));
        };
        let protocol =
            Protocol::of_scheme(scheme).ok_or_else(|| EndpointError::Scheme(scheme.chars().take(20).collect()))?;
        // Under a scheme of its own kind: the URL standard bends `ftp` like `http` (backslashes, empty hosts).
        let url = url::Url::parse(&format!("endpoint://{rest}")).map_err(|e| EndpointError::Url(e.to_string()))?;
        if protocol == Protocol::Local {
            return Ok(Self::local(&percent_decode_str(url.path()).collect::<Vec<_>>()));
        }
        for (part, mark) in [(url.query(), '?'), (url.fragment(), '#')] {
            if part.is_some() {
                return Err(EndpointError::Extra(mark, mark as u8));
            }
        }
        let host = url.host_str().filter(|h| !h.is_empty()).ok_or(EndpointError::NoHost)?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let user = decoded_text(url.username(), "user")?;
        let password = url.password().map(|p| decoded_text(p, "password")).transpose()?.map(Secret::new);
        let path = url.path().strip_prefix('/').unwrap_or_default();
        let root = percent_decode_str(path).collect::<Vec<_>>();
        if root.iter().any(|b| matches!(b, 0 | b'\r' | b'\n')) {
            return Err(EndpointError::Control("path"));
        }
        Ok(Self {
            protocol,
            host,
            port: url.port().unwrap_or(protocol.default_port()),
            user,
            password,
            root,
            options: EndpointOptions::default(),
        })
    }

    /// A folder of this machine.
    #[must_use]
    pub fn local(path: &[u8]) -> Self {
        Self {
            protocol: Protocol::Local,
            host: String::new(),
            port: 0,
            user: String::new(),
            password: None,
            root: path.to_vec(),
            options: EndpointOptions::default(),
        }
    }

    /// The URL without password and options: safe to store, log and show; [`Endpoint::parse`] reads it
    /// back.
    #[must_use]
    pub fn url(&self) -> String {
        if self.protocol == Protocol::Local {
            return match std::str::from_utf8(&self.root) {
                Ok(path) if !path.contains("://") => path.to_owned(),
                _ => format!("file://{}", percent_encode(&self.root, PATH)),
            };
        }
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        let port = if self.port == self.protocol.default_port() { String::new() } else { format!(":{}", self.port) };
        let user = match self.user.as_str() {
            "" => String::new(),
            user => format!("{}@", percent_encode(user.as_bytes(), USERINFO)),
        };
        format!("{}://{user}{host}{port}/{}", self.protocol.scheme(), percent_encode(&self.root, PATH))
    }

    /// The URL of the server and who comes to it, whatever the folder.
    #[must_use]
    pub fn server(&self) -> String {
        Self { root: Vec::new(), password: None, ..self.clone() }.url()
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url())
    }
}

fn decoded_text(text: &str, part: &'static str) -> Result<String, EndpointError> {
    let text = percent_decode_str(text)
        .decode_utf8()
        .map_err(|_| EndpointError::Url(format!("the {part} is not UTF-8")))?
        .into_owned();
    if text.chars().any(|c| matches!(c, '\0' | '\r' | '\n')) { Err(EndpointError::Control(part)) } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes_urls() {
        for (text, shown) in [
            ("ftp://anna:s%40cret@example.org/a%20b", "ftp://anna@example.org/a%20b"),
            ("ftp+tls://h:2121//abs/%D6%D0", "ftp+tls://h:2121//abs/%D6%D0"),
            ("ftps://[::1]/", "ftps://[::1]/"),
            ("sftp://u@h/x", "sftp://u@h/x"),
            ("/srv/tree", "/srv/tree"),
        ] {
            let endpoint = Endpoint::parse(text).unwrap();
            assert_eq!(endpoint.url(), shown);
            assert_eq!(Endpoint::parse(shown).unwrap().url(), shown);
        }
        let endpoint = Endpoint::parse("ftp://anna:s%40cret@example.org/").unwrap();
        assert_eq!(endpoint.password.as_ref().unwrap().expose(), "s@cret");
        assert!(!format!("{endpoint:?}").contains("s@cret"));
        assert_eq!(Endpoint::parse("ftp+tls://anna@h:2121//abs/a").unwrap().server(), "ftp+tls://anna@h:2121/");
    }

    #[test]
    fn refuses_with_a_reason() {
        assert!(matches!(Endpoint::parse("gopher://h/"), Err(EndpointError::Scheme(_))));
        assert!(matches!(Endpoint::parse("ftp:///x"), Err(EndpointError::NoHost | EndpointError::Url(_))));
        assert_eq!(Endpoint::parse("ftp://h/a%0d%0aDELE%20x"), Err(EndpointError::Control("path")));
        assert_eq!(Endpoint::parse("ftp://h/a#b"), Err(EndpointError::Extra('#', b'#')));
    }
}
