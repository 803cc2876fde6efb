//! A form with boxes to tick beside the names of a folder.

use std::fmt;

use percent_encoding::percent_decode_str;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

use crate::model::Name;

/// All fields of the form: one comes as often as there are ticks.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::web) struct Picked(Vec<(String, String)>);

impl Picked {
    /// The field `key`.
    pub(super) fn value(&self, key: &str) -> Option<&str> {
        self.0.iter().find_map(|(name, value)| (name == key).then_some(value.as_str()))
    }

    /// The names that are ticked, which the form carries percent-encoded: they may be no text.
    pub(super) fn names(&self) -> Result<Vec<Name>, String> {
        let ticked = self.0.iter().filter(|(key, _)| key == "pick");
        let names = ticked.map(|(_, raw)| Name::new(percent_decode_str(raw).collect::<Vec<u8>>()));
        let names = names.collect::<Result<Vec<Name>, _>>().map_err(|error| error.to_string())?;
        if names.is_empty() { Err("nothing is ticked: tick what it is about".to_owned()) } else { Ok(names) }
    }
}

impl<'de> Deserialize<'de> for Picked {
    fn deserialize<D: Deserializer<'de>>(fields: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Picked;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the fields of a form")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Picked, A::Error> {
                let mut all = Vec::new();
                while let Some(field) = map.next_entry()? {
                    all.push(field);
                }
                Ok(Picked(all))
            }
        }
        fields.deserialize_map(Fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tick_counts() {
        let form = |pairs: &[(&str, &str)]| {
            Picked(pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect())
        };
        let names = form(&[("as", "zip"), ("pick", "a%20b"), ("pick", "%D6%D0")]).names().unwrap();
        assert_eq!(names.iter().map(Name::as_bytes).collect::<Vec<_>>(), [b"a b".as_slice(), b"\xd6\xd0"]);
        assert!(form(&[("as", "zip")]).names().is_err() && form(&[("pick", "a%2Fb")]).names().is_err());
    }
}
