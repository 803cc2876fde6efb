//! The extended log file format of the W3C (WD-logfile-960323), as pure-ftpd and IIS write it: a head names the fields.
//!
//! ```text
//! #Fields: date time c-ip cs-username cs-method cs-uri-stem sc-status sc-bytes
//! 2026-11-26 12:34:56 192.0.2.7 anna RETR /pub/file 226 4096
//! ```

use percent_encoding::percent_decode_str;

use super::record::{Act, Record, act_of, address, moment, named};

/// The fields of the lines that come.
#[derive(Debug, Clone, Default)]
pub(super) struct Fields {
    names: Vec<String>,
    /// A date in the head, for lines with a time only.
    date: Option<String>,
}

impl Fields {
    /// Takes a line of the head; was it one?
    pub(super) fn head(&mut self, line: &str) -> bool {
        let Some(directive) = line.strip_prefix('#') else { return false };
        if let Some(fields) = directive.strip_prefix("Fields:") {
            self.names = fields.split_ascii_whitespace().map(str::to_ascii_lowercase).collect();
        } else if let Some(date) = directive.strip_prefix("Date:") {
            self.date = date.split_ascii_whitespace().next().map(str::to_owned);
        }
        true
    }

    /// Reads one line.
    pub(super) fn read(&self, line: &str) -> Option<Record> {
        let words: Vec<_> = line.split_ascii_whitespace().collect();
        if self.names.is_empty() || words.len() != self.names.len() {
            return None;
        }
        let of = |wanted: &str| {
            let at = self.names.iter().position(|name| name == wanted)?;
            words.get(at).copied().filter(|word| *word != "-")
        };
        let method = of("cs-method")?;
        // IIS writes the number of the session before it: [7]RETR.
        let verb = method.rsplit(']').next().unwrap_or(method);
        let status = of("sc-status").and_then(|word| word.parse::<u16>().ok());
        let act = match (verb.to_ascii_lowercase().as_str(), act_of(verb)) {
            ("sent", _) => Act::Download,
            ("created" | "appended", _) => Act::Upload,
            (_, Act::Login) if status != Some(230) => Act::Refused,
            (_, Act::Encrypt) if status != Some(234) => Act::Other,
            (_, act) => act,
        };
        let is_file = matches!(act, Act::Download | Act::Upload | Act::Remove);
        let bytes = match act {
            Act::Upload => of("cs-bytes").filter(|word| *word != "0").or_else(|| of("sc-bytes")),
            _ => of("sc-bytes"),
        };
        let path = of("cs-uri-stem").or_else(|| of("x-fullpath")).filter(|_| is_file);
        Some(Record {
            at: self.at(of("date"), of("time")),
            user: of("cs-username").and_then(named),
            address: of("c-ip").and_then(address),
            path: path.map(|path| percent_decode_str(&path.replace('+', " ")).decode_utf8_lossy().into_owned()),
            bytes: bytes.and_then(|word| word.parse().ok()).filter(|_| is_file),
            done: status.is_none_or(|status| (200..400).contains(&status)),
            ..Record::new(act)
        })
    }

    fn at(&self, date: Option<&str>, time: Option<&str>) -> Option<jiff::civil::DateTime> {
        let mut parts = date.or(self.date.as_deref())?.split('-');
        let (year, month, day) =
            (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        moment(year, month, day, time?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(head: &[&str]) -> Fields {
        let mut fields = Fields::default();
        assert!(head.iter().all(|line| fields.head(line)));
        fields
    }

    #[test]
    fn the_head_says_what_stands_where() {
        let iis = fields(&[
            "#Software: Microsoft Internet Information Services 10.0",
            "#Fields: date time c-ip cs-username cs-method cs-uri-stem sc-status sc-bytes cs-bytes",
        ]);
        let record = iis.read("2026-11-26 12:34:56 192.0.2.7 ACME\\anna RETR /pub/a+file%20b 226 4096 12").unwrap();
        assert_eq!(
            (record.act, record.bytes, record.path.as_deref()),
            (Act::Download, Some(4096), Some("/pub/a file b"))
        );
        assert_eq!(
            (record.user.as_deref(), record.at.unwrap().to_string().as_str()),
            (Some("ACME\\anna"), "2026-11-26T12:34:56")
        );
        let record = iis.read("2026-11-26 12:34:56 192.0.2.7 - PASS *** 530 0 0").unwrap();
        assert_eq!((record.act, record.user, record.path), (Act::Refused, None, None));
        let record = iis.read("2026-11-26 12:34:56 192.0.2.7 anna STOR /in/x 226 0 77").unwrap();
        assert_eq!((record.act, record.bytes), (Act::Upload, Some(77)));
        assert_eq!(iis.read("2026-11-26 12:34:56 192.0.2.7"), None);
    }

    #[test]
    fn older_heads_hold_the_date() {
        let old = fields(&[
            "#Version: 1.0",
            "#Date: 2003-02-01 00:00:00",
            "#Fields: time c-ip cs-method cs-uri-stem sc-status",
        ]);
        let record = old.read("10:11:12 192.0.2.7 [5]created /in/y 226").unwrap();
        assert_eq!((record.act, record.at.unwrap().to_string().as_str()), (Act::Upload, "2003-02-01T10:11:12"));
        assert_eq!(Fields::default().read("10:11:12 192.0.2.7 RETR /in/y 226"), None);
    }
}
