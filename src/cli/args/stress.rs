//! What can be typed behind `stress`.

use std::path::PathBuf;

use clap::Args;

use super::{Active, Format, Via, bytes, seconds};
use crate::stress::plan::{MOST_CONNECTIONS, MOST_RATE};

/// Options of `stress`.
#[derive(Debug, Args)]
#[command(after_help = STRESS_HELP)]
pub struct StressArgs {
    /// The server: ftp://, ftp+tls://, ftps://, sftp://, dav://, davs:// or https://. Files are read from its folder.
    pub url: String,
    /// Connections at once.
    #[arg(long, value_name = "N", default_value_t = 50,
          value_parser = clap::value_parser!(u32).range(1..=i64::from(MOST_CONNECTIONS)))]
    pub connections: u32,
    /// The share of them that transfers, for example 20%; the others are held with a light command now and then.
    #[arg(long, value_name = "SHARE", default_value = "20%", value_parser = share)]
    pub moving: f64,
    /// Transfers a second, over all connections together [default: one a second for each that transfers, 100 at most].
    #[arg(long, value_name = "PER-SECOND", value_parser = rate)]
    pub rate: Option<f64>,
    /// How often a connection that is held sends its light command.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = seconds)]
    pub every: u32,
    /// Open the connections over this time, then hold the load [default: a quarter of the duration, a minute at most]; 0s
    /// opens all of them at once.
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    pub ramp: Option<u32>,
    /// How long it lasts.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = seconds)]
    pub duration: u32,
    /// The same in hours.
    #[arg(long, value_name = "HOURS", conflicts_with = "duration", value_parser = clap::value_parser!(u32).range(1..=720))]
    pub hours: Option<u32>,
    /// Also write files into this folder of the server, below that of the address, and remove them again; . is the folder
    /// of the address itself.
    #[arg(long, value_name = "FOLDER")]
    pub upload: Option<String>,
    /// The size of each of them, 64MiB at most.
    #[arg(long, value_name = "BYTES", default_value = "64KiB", value_parser = bytes, requires = "upload")]
    pub size: u64,
    /// Files larger than this are not read.
    #[arg(long, value_name = "BYTES", default_value = "8MiB", value_parser = bytes)]
    pub largest: u64,
    /// Bytes of files in all, both ways: then it ends.
    #[arg(long, value_name = "BYTES", default_value = "100GiB", value_parser = bytes)]
    pub max_bytes: u64,
    /// Follow memory, descriptors and processor time of this process: the server, when it runs on this machine.
    #[arg(long, value_name = "PID")]
    pub pid: Option<u32>,
    /// Load goes to this machine only, or to a host that is yours.
    #[arg(long)]
    pub i_own_this_host: bool,
    /// Write a report to be passed on: one file of HTML.
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Read the password from this file.
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
    /// Certificates (PEM) to trust beside the system's.
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// Accept only the certificate with this SHA-256, in hexadecimal; of an SFTP server the host key, as SHA256:… too.
    #[arg(long, value_name = "SHA256", conflicts_with = "insecure")]
    pub pin: Option<String>,
    /// Accept any certificate or host key.
    #[arg(long)]
    pub insecure: bool,
    /// Log in with this SSH private key; its passphrase comes from where a password would.
    #[arg(long, value_name = "FILE")]
    pub identity: Option<PathBuf>,
    /// How the answer is written.
    #[command(flatten)]
    pub format: Format,
}

impl StressArgs {
    /// How the server is spoken to.
    #[must_use]
    pub fn via(&self) -> Via {
        Via {
            connections: Some(1),
            charset: None,
            password_file: self.password_file.clone(),
            ca_file: self.ca_file.clone(),
            pin: self.pin.clone(),
            insecure: self.insecure,
            identity: self.identity.clone(),
            jump: None,
            jump_pin: None,
            active: Active::Auto,
            deadlines: None,
        }
    }
}

fn share(text: &str) -> Result<f64, String> {
    let number = match text.strip_suffix('%') {
        Some(percent) => percent.trim().parse::<f64>().map(|percent| percent / 100.0),
        None => text.parse(),
    };
    number.ok().filter(|share| (0.0..=1.0).contains(share)).ok_or_else(|| "write for example 20% or 0.2".to_owned())
}

fn rate(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|rate| *rate > 0.0 && *rate <= MOST_RATE);
    number.ok_or_else(|| format!("write a number above 0, {MOST_RATE} at most"))
}

const STRESS_HELP: &str = "\
Examples:
  causeway stress sftp://anna@localhost:2022/ --insecure --connections 200 --duration 2m
  causeway stress davs://anna@localhost:8443/dav/ --insecure --upload . --rate 50 --report load.html
  causeway stress ftp://anna@localhost/ --connections 500 --ramp 5m --duration 10m --pid $(pidof vsftpd)
  causeway stress sftp://anna@files.example/ --i-own-this-host --hours 72 --json > report.json

Every arrival is fixed beforehand, and latency counts from its intended moment. The connections open over the ramp; the
knee is the highest load that was borne before errors or latency left their band. Ctrl-C ends it in good order, with a
report of what was seen. The password comes from --password-file, from CAUSEWAY_SOURCE_PASSWORD, from the URL, or is
asked for. Files that were written are removed again.
Exit codes: 0 the load was borne without an error, 3 it was not (the report says what limits it), 1 there is no report.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_and_rates_have_bounds() {
        assert_eq!((share("20%"), share("0.5"), share("0"), share("100%")), (Ok(0.2), Ok(0.5), Ok(0.0), Ok(1.0)));
        for wrong in ["", "%", "-1%", "101%", "1.5", "nan", "many"] {
            assert!(share(wrong).is_err(), "{wrong}");
        }
        assert_eq!(rate("2.5"), Ok(2.5));
        for wrong in ["0", "-1", "inf", "nan", "10001", ""] {
            assert!(rate(wrong).is_err(), "{wrong}");
        }
    }
}
