//! `causeway serve` and `causeway demo`.

use crate::app::{Service, Signals};
use crate::config::{Loaded, Origin};
use crate::demo::{Demo, USER};
use crate::telemetry;

use super::args::DemoArgs;
use super::{Failure, Out};

/// Serves until a signal.
pub(super) async fn serve(loaded: &Loaded) -> Result<(), Failure> {
    telemetry::start(&loaded.config.log)?;
    let out = Out::new(false);
    let mut signals = Signals::listen();
    let service = Service::start(&loaded.config).await?;
    if let Some((name, password)) = service.first_admin() {
        out.line(format!(
            "The first account is '{name}', its password {}\n\
             It is printed this once; 'causeway account passwd {name}' sets another.",
            password.expose()
        ))?;
    }
    if let Some(address) = service.https() {
        tracing::info!(https.address = %address, "dashboard, WebDAV and downloads are open");
    }
    if let Some(certificate) = service.certificate() {
        let (file, self_signed) = (certificate.file.display(), certificate.self_signed);
        if certificate.made {
            // Said once, as the password above: somebody must be able to tell clients whether to trust it.
            out.line(format!(
                "The certificate is self-signed; its SHA-256 fingerprint is {}",
                certificate.fingerprint
            ))?;
        }
        tracing::info!(tls.sha256 = certificate.fingerprint, tls.file = %file, tls.self_signed = self_signed, "certificate");
    }
    if let Some(address) = service.sftp() {
        tracing::info!(sftp.address = %address, "SFTP is open");
    }
    for key in service.host_keys() {
        tracing::info!(ssh.algorithm = key.algorithm, ssh.host_key = key.fingerprint, "host key");
    }
    signals.next().await;
    tracing::info!("stopping: transfers may end first; a second signal cuts them");
    end(service.stop(), signals).await
}

/// Shows everything until a signal.
pub(super) async fn demo(args: &DemoArgs, loaded: &Loaded) -> Result<(), Failure> {
    let mut log = loaded.config.log.clone();
    if loaded.shown.iter().any(|setting| setting.name == "log.filter" && setting.origin == Origin::Default) {
        // The block of lines to paste should stay on the screen.
        "warn,slog=error,log=error,libunftp=error".clone_into(&mut log.filter);
    }
    telemetry::start(&log)?;
    let mut signals = Signals::listen();
    let demo = Demo::start(loaded, args.every).await?;
    print(&demo)?;
    signals.next().await;
    Out::new(false).line("Stopping; transfers may end first.")?;
    end(demo.stop(), signals).await
}

fn print(demo: &Demo) -> Result<(), Failure> {
    let out = Out::new(false);
    let clients = demo.clients();
    out.line(format!(
        "\nCauseway is running beside an old FTP server ({} files at ftp://{}). Ctrl-C stops it; start it again to go on.\n",
        demo.files(),
        demo.legacy()
    ))?;
    out.line(format!("  Dashboard  {}  (self-signed: the browser asks once)", clients.dashboard()))?;
    out.line(format!("  Login      {USER}  {}\n", demo.password().expose()))?;
    for line in clients.lines() {
        out.line(format!("  {:<9}  {}", line.label, line.command))?;
    }
    out.line("")
}

async fn end(stopping: impl Future<Output = bool>, mut signals: Signals) -> Result<(), Failure> {
    tokio::select! {
        drained = stopping => match drained {
            true => Ok(()),
            false => Err(Failure::new("stopped, but some transfers had to be cut: their clients saw it")),
        },
        () = signals.next() => Err(Failure::new("stopped at once: the next start goes on with what was interrupted")),
    }
}
