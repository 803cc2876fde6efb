//! `causeway ca …`: who may sign certificates that open accounts.

use serde_json::json;

use crate::account::{Authority, Revocation};
use crate::app::{Store, operator};

use super::args::{CaRevoke, CaVerb};
use super::{Failure, Out, account};

/// Does what was asked.
pub(super) async fn run(verb: CaVerb, store: &Store) -> Result<(), Failure> {
    let accounts = &store.accounts;
    let out = Out::new(false);
    match verb {
        CaVerb::List(format) => list(&accounts.authorities().await?, &Out::new(format.json)),
        CaVerb::Add { file } => {
            for line in account::public_keys(&file)? {
                let fingerprint = accounts.add_authority(&operator(), &line).await?;
                out.line(format!("certificates of {fingerprint} open the accounts that they name"))?;
            }
            Ok(())
        }
        CaVerb::Remove { fingerprint } => {
            accounts.remove_authority(&operator(), &fingerprint).await?;
            out.line(format!("certificates of {fingerprint} open nothing any more"))
        }
        CaVerb::Revoke(CaRevoke { fingerprint, serial, key_id }) => {
            let which = match (serial, key_id) {
                (Some(serial), _) => Revocation::Serial(serial),
                (None, Some(id)) => Revocation::KeyId(id),
                (None, None) => return Err(Failure::new("which one? name its --serial or its --key-id")),
            };
            accounts.revoke(&operator(), &fingerprint, &which).await?;
            out.line(format!("{which} of {fingerprint} opens nothing any more"))
        }
    }
}

fn list(authorities: &[Authority], out: &Out) -> Result<(), Failure> {
    if out.json() {
        let shown = authorities.iter().map(
            |ca| json!({"fingerprint": ca.fingerprint, "algorithm": ca.algorithm, "comment": ca.comment, "added": ca.added}),
        );
        return out.value(&shown.collect::<Vec<_>>());
    }
    if authorities.is_empty() {
        return out.line("no authority: add one with 'causeway ca add FILE'");
    }
    let rows: Vec<Vec<String>> =
        authorities.iter().map(|ca| vec![ca.fingerprint.clone(), ca.algorithm.clone(), ca.comment.clone()]).collect();
    out.table(&["fingerprint", "kind", "comment"], &rows)
}
