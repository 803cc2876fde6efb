//! Paired probes: the same small work at several endpoints within the same minute, so that they can be compared.
//!
//! Who only looks at the traffic of jobs compares big files over one protocol with small ones over another, by night with
//! by day. A *comparison set* has one endpoint for each thing that is to be compared; a *round* visits them all, one after
//! the other, in an order that chance decides, with the same payloads. What differs within a round is neither the hour nor
//! the load nor the file.
//!
//! A [`Visit`] logs in anew, reads a small and a medium file, lists a folder, and where the set allows it writes a file into
//! the set's folder, reads it back and removes it again. Everything that is read is compared byte for byte with what the
//! other visits of its round got.
//!
//! Rounds are polite: one connection at a time, a budget of logins and bytes per hour, a start that varies by chance, and an
//! end at the press of a button. What is said of them ([`Told`]) rests on the steps of rounds that visited both sides;
//! what the connections did is observed as of any other connection.

mod answers;
mod budget;
mod desk;
mod findings;
mod round;
mod set;
mod store;
mod visit;

pub use answers::{Answers, answers};
pub use budget::{Budget, Spent};
pub use desk::{Endpoints, ProbeError, Probes};
use findings::findings;
pub use findings::{Pair, Question, Side, Told};
pub use round::{Host, Round, order, round};
pub use set::{Changes, Member, Set, SetError, Work};
pub use store::{Lasting, StoredRound, StoredVisit, keep};
pub use visit::{Call, Done, Outcome, Step, Visit};

#[cfg(test)]
mod tests;
