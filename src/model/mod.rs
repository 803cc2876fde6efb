//! The shared vocabulary: pure types, no I/O, no async. Every other shelf speaks in these words.

pub mod charset;
mod clock;
mod deadlines;
mod digest;
mod door;
mod endpoint;
mod entry;
mod fault;
mod fingerprint;
mod fold;
mod hasher;
mod id;
mod multiset;
mod path;
mod proof;
mod scope;
mod secret;
pub mod zone;

pub use clock::{Clock, ManualClock, SystemClock};
pub use deadlines::{Deadlines, DeadlinesError};
pub use digest::{Digest, DigestAlgorithm, DigestParseError};
pub use door::Door;
pub use endpoint::{Endpoint, EndpointError, EndpointOptions, Protocol};
pub use entry::{Entry, EntryKind, Mtime, Precision, TimeSource};
pub use fault::{Evidence, Fault, FaultKind, Phase, Retry};
pub use fingerprint::Fingerprint;
pub use fold::Folds;
pub use hasher::Hasher;
pub use id::{AccountId, EndpointId, ItemId, JobId, RunId, SurveyId};
pub use multiset::Multiset;
pub use path::{Name, NameError, RESERVED_PREFIX, RelPath, display_bytes};
pub use proof::{Algorithm, Checksum, ChecksumError, Proof, ProofParseError};
pub use scope::{Access, Scope};
pub use secret::Secret;
pub use zone::{ServerZone, ServerZoneError};
