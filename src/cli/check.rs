//! `causeway check`.

use serde_json::json;

use crate::app::{Store, certificate_plan};
use crate::config::{self, Config, Loaded, Origin, Problems};
use crate::model::{Clock as _, SystemClock};
use crate::serve::http::{CertificateError, read_certificate};
use crate::task;
use crate::telemetry;

use super::args::CheckArgs;
use super::{Failure, Out};

/// What is wrong with the certificate that was configured, if there is one.
async fn about_the_certificate(config: &Config) -> Option<String> {
    let (certificate, key) = (config.https.certificate.clone()?, config.https.key.clone()?);
    match task::blocking(move || read_certificate(&certificate, &key)).await {
        Ok(Ok(identity)) => identity.about_its_end(SystemClock.now()),
        // Files that cannot be read are said with the settings.
        Ok(Err(CertificateError::File { .. })) => None,
        Ok(Err(error)) => Some(format!("https: {error}")),
        Err(lost) => Some(format!("https: the certificate could not be looked at: {lost}")),
    }
}

/// Prints the effective configuration and every problem in it, and in the store that it names.
pub(super) async fn run(args: &CheckArgs, (loaded, problems): &(Loaded, Problems)) -> Result<(), Failure> {
    let out = Out::new(args.format.json);
    if args.example {
        return out.line(config::example().trim_end());
    }
    let mut found: Vec<String> = problems.iter().map(ToString::to_string).collect();
    if let Err(error) = telemetry::check(&loaded.config.log) {
        found.push(error.to_string());
    }
    found.extend(about_the_certificate(&loaded.config).await);
    if let Err(error) = Store::check_at(&loaded.config.data).await {
        found.push(error.to_string());
    }
    let config = loaded.config.clone();
    let plan = task::blocking(move || certificate_plan(&config, SystemClock.now())).await.ok().flatten();
    if out.json() {
        out.value(&json!({
            "file": loaded.file.as_ref().map(|path| path.display().to_string()),
            "settings": loaded.shown,
            "certificate": plan,
            "problems": found,
        }))?;
    } else {
        match &loaded.file {
            Some(path) => out.line(format!("# from {}", path.display()))?,
            None => out.line(format!("# no {}: all of it is the default", config::DEFAULT_FILE))?,
        }
        for setting in &loaded.shown {
            let origin = match setting.origin {
                Origin::Default => "",
                Origin::File => "  # from the file",
                Origin::Environment => "  # from the environment",
            };
            out.line(format!("{} = {}{origin}", setting.name, setting.value))?;
        }
        if let Some(plan) = plan {
            out.line(format!("certificate: {plan}"))?;
        }
        for problem in &found {
            out.line(format!("problem: {problem}"))?;
        }
        out.line(if found.is_empty() { "no problems" } else { "mend these before 'causeway serve'" })?;
    }
    if found.is_empty() { Ok(()) } else { Err(Failure::Said) }
}
