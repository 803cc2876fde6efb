//! What all comparisons say, for who reads only.

use jiff::Timestamp;

use super::{Set, Told, findings, store};
use crate::db::{Db, DbError};
use crate::model::SetId;

/// Rounds that findings rest on; of more, an even draw.
const DRAW: i64 = 2_000;

/// What one comparison says.
#[derive(Debug, Clone, PartialEq)]
pub struct Answers {
    /// Which.
    pub set: SetId,
    /// Its name.
    pub name: String,
    /// By the first member against each of the others; empty before its first round.
    pub told: Vec<Told>,
}

/// What the rounds of all comparisons in `from..to` say.
///
/// # Errors
/// The store's.
pub async fn answers(db: &Db, window: (Timestamp, Timestamp)) -> Result<Vec<Answers>, DbError> {
    let mut all = Vec::new();
    for set in store::all(db.read()).await? {
        let told = answer(db, &set, window).await?;
        all.push(Answers { set: set.id, name: set.name, told });
    }
    Ok(all)
}

/// What those of one comparison say.
pub(super) async fn answer(db: &Db, set: &Set, window: (Timestamp, Timestamp)) -> Result<Vec<Told>, DbError> {
    Ok(findings(set, &store::drawn(db.read(), set.id, window, DRAW).await?))
}
