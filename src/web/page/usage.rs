//! What a home folder holds of what it may hold.

use std::sync::Arc;

use crate::model::{Quota, Scope, Used};
use crate::task;
use crate::web::show;
use crate::web::state::WebState;
use crate::web::widget::Gauge;

/// One limit, and how far it is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    pub gauge: Gauge,
    pub words: String,
    /// Nothing more fits in.
    pub is_full: bool,
}

/// The limits of a folder: at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Usage {
    pub shares: Vec<Share>,
}

impl Usage {
    /// Of a home; none without a quota. A home that cannot be counted has none to show: the log says why.
    pub(super) async fn of(state: &WebState, scope: &Scope) -> Option<Self> {
        if !scope.quota.is_limited() {
            return None;
        }
        let (tree, scope) = (Arc::clone(&state.tree), scope.clone());
        // Whoever only looks makes no folder.
        let count = move || match tree.made_view(&scope)? {
            Some(view) => view.usage(),
            None => Ok(Some((scope.quota, Used::default()))),
        };
        let counted = task::blocking(count).await;
        match counted.unwrap_or_else(|error| Err(std::io::Error::other(error))) {
            Ok(usage) => usage.map(|(quota, used)| Self::new(quota, used)),
            Err(error) => {
                tracing::warn!(io.error = %error, "a home folder could not be counted");
                None
            }
        }
    }

    /// So much of so much.
    #[must_use]
    pub fn new(quota: Quota, used: Used) -> Self {
        let bytes = quota.bytes.map(|most| Share {
            gauge: Gauge::new(used.bytes, most),
            words: format!("{} of {}", show::bytes(used.bytes), show::bytes(most)),
            is_full: used.bytes >= most,
        });
        let files = quota.files.map(|most| Share {
            gauge: Gauge::new(used.files, most),
            words: format!("{} of {} files, folders and links", show::count(used.files), show::count(most)),
            is_full: used.files >= most,
        });
        Self { shares: [bytes, files].into_iter().flatten().collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_limit_is_said() {
        let used = Used { bytes: 1_500_000, files: 12_480 };
        let words = |quota| Usage::new(quota, used).shares.into_iter().map(|share| share.words).collect::<Vec<_>>();
        let quota = Quota { bytes: Some(3_000_000), files: None };
        assert_eq!(words(quota), ["1.5 MB of 3.0 MB"]);
        let quota = Quota { files: Some(20_000), ..quota };
        assert_eq!(words(quota), ["1.5 MB of 3.0 MB", "12,480 of 20,000 files, folders and links"]);
    }
}
