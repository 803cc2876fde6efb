//! How often an account may ask: a token bucket each, so that one program that runs wild leaves room for the others.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::response::Response;
use http::header::RETRY_AFTER;
use http::{HeaderValue, StatusCode};
use tokio::time::Instant;

use super::plain;
use crate::net::{Counters, Refusal};

/// So many seconds' worth may be used at once.
const SAVED: f64 = 10.0;
/// Accounts that are remembered; who asks no more is forgotten first.
const REMEMBERED: usize = 1024;

/// The requests that accounts may make. Clones share them.
#[derive(Debug, Clone)]
pub struct Budget {
    per_second: f64,
    accounts: Arc<Mutex<HashMap<String, Bucket>>>,
    counters: Counters,
}

#[derive(Debug)]
struct Bucket {
    left: f64,
    at: Instant,
}

impl Budget {
    /// Each account may make so many requests a second in the long run; refusals are counted in `counters`.
    #[must_use]
    pub fn new(per_second: u32, counters: Counters) -> Self {
        Self { per_second: f64::from(per_second), accounts: Arc::default(), counters }
    }

    /// One request of `account`; the answer to send when that is one too many: 429 (RFC 6585, section 4).
    pub(super) fn spend(&self, account: &str) -> Option<Response> {
        self.spend_at(account, Instant::now())
    }

    fn spend_at(&self, account: &str, now: Instant) -> Option<Response> {
        let most = self.per_second * SAVED;
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        let full = |bucket: &Bucket| bucket.left + now.duration_since(bucket.at).as_secs_f64() * self.per_second;
        if !accounts.contains_key(account) {
            if accounts.len() >= REMEMBERED {
                accounts.retain(|_, bucket| full(bucket) < most);
            }
            accounts.insert(account.to_owned(), Bucket { left: most, at: now });
        }
        let bucket = accounts.get_mut(account)?;
        let left = full(bucket).min(most);
        (bucket.left, bucket.at) = (left.max(1.0) - 1.0, now);
        if left >= 1.0 {
            return None;
        }
        bucket.left = left;
        drop(accounts);
        self.counters.refused(Refusal::Requests);
        let sentence = "this account asks more often than it may: wait a moment, or ask an administrator to raise \
                        'limits.requests-per-account'";
        let mut answer = plain(StatusCode::TOO_MANY_REQUESTS, sentence);
        answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        Some(answer)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn each_account_has_its_own_and_time_fills_it() {
        let (counters, begin) = (Counters::default(), Instant::now());
        let budget = Budget::new(5, counters.clone());
        let passes = |account: &str, after: u64| {
            let now = begin + Duration::from_secs(after);
            (0..100).filter(|_| budget.spend_at(account, now).is_none()).count()
        };
        assert_eq!(passes("anna", 0), 50);
        assert_eq!(passes("bob", 0), 50, "somebody else's is untouched");
        assert_eq!(passes("anna", 1), 5);
        assert_eq!(passes("anna", 1000), 50, "no more than that is saved");
        assert_eq!(counters.count(Refusal::Requests), 50 + 50 + 95 + 50);
        let refused = budget.spend_at("anna", begin).unwrap();
        assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(refused.headers()[RETRY_AFTER], "1");
    }

    #[test]
    fn those_who_rest_are_forgotten() {
        let (budget, begin) = (Budget::new(5, Counters::default()), Instant::now());
        for n in 0..REMEMBERED {
            assert!(budget.spend_at(&n.to_string(), begin).is_none());
        }
        assert!(budget.spend_at("anna", begin + Duration::from_secs(10)).is_none());
        assert_eq!(budget.accounts.lock().unwrap().len(), 1);
    }
}
