//! Which certificates an endpoint trusts.

use std::path::Path;

use crate::model::{Endpoint, Fault, FaultKind, Phase};
use crate::net::Trust;
use crate::{task, tree};

/// A file of certificates is not longer than this.
const MAX_CA_FILE: usize = 4 << 20;

/// As its options say, with the file of certificates read.
///
/// # Errors
/// A fault of [`Phase::Tls`] when that file cannot be read.
pub async fn trust(endpoint: &Endpoint) -> Result<Trust, Fault> {
    let options = &endpoint.options;
    let extra_roots = match options.ca_file.clone() {
        None => None,
        Some(file) => {
            let shown = file.clone();
            let read = task::blocking(move || tree::file::read_small(Path::new(&file), MAX_CA_FILE)).await;
            let read = read.map_err(|e| Fault::new(Phase::Tls, FaultKind::Io, e.to_string()))?;
            Some(read.map_err(|e| Fault::io(Phase::Tls, &format!("cannot read the ca-file '{shown}'"), &e))?)
        }
    };
    Ok(Trust { pin: options.pin.clone(), extra_roots, insecure: options.insecure })
}
