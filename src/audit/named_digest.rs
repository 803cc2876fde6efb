//! A digest in an event stands under the name of its algorithm, so that whoever reads a log by hand knows how to check it:
//! `"sha256":"…"`, as every release wrote it, or `"blake3":"…"`. For `#[serde(flatten, with = …)]`.

use std::fmt;

use serde::de::{Error as _, IgnoredAny, MapAccess, Visitor};
use serde::ser::SerializeMap as _;
use serde::{Deserializer, Serializer};

use crate::model::{Digest, DigestAlgorithm};

pub(super) fn serialize<S: Serializer>(digest: &Digest, serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(1))?;
    map.serialize_entry(digest.algorithm().as_str(), &digest.hex())?;
    map.end()
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Digest, D::Error> {
    deserializer.deserialize_map(Named)
}

struct Named;

impl<'de> Visitor<'de> for Named {
    type Value = Digest;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a digest under the name of its algorithm")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Digest, A::Error> {
        let mut found = None;
        while let Some(key) = map.next_key::<String>()? {
            match key.parse::<DigestAlgorithm>() {
                Ok(algorithm) => {
                    let plain: Digest = map.next_value::<String>()?.parse().map_err(A::Error::custom)?;
                    found = Some(Digest::new(algorithm, *plain.as_bytes()));
                }
                Err(_) => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        found.ok_or_else(|| A::Error::missing_field("sha256"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::Event;
    use crate::model::{Proof, RelPath, RunId};

    #[test]
    fn a_digest_stands_under_the_name_of_its_algorithm() {
        for (algorithm, name) in [(DigestAlgorithm::Sha256, "sha256"), (DigestAlgorithm::Blake3, "blake3")] {
            let digest = Digest::new(algorithm, [7; 32]);
            let (run, path, proof) = (RunId(1), RelPath::new("a").unwrap(), Some(Proof::StreamHash));
            let event = Event::FilePublished { run, path, size: 3, digest, proof };
            let text = serde_json::to_string(&event).unwrap();
            assert!(text.contains(&format!("\"{name}\":\"{}\"", "07".repeat(32))), "{text}");
            assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), event);
        }
    }
}
