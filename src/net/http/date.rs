//! Dates in headers (RFC 9110, section 5.6.7).

use jiff::Timestamp;
use jiff::fmt::rfc2822::{DateTimeParser, DateTimePrinter};

/// `Sun, 06 Nov 1994 08:49:37 GMT`; nothing for years that the format has no room for.
#[must_use]
pub fn print(at: Timestamp) -> Option<String> {
    DateTimePrinter::new().timestamp_to_rfc9110_string(&at).ok()
}

/// Reads the form that everybody sends.
#[must_use]
pub fn parse(text: &str) -> Option<Timestamp> {
    DateTimeParser::new().parse_timestamp(text.trim()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let text = "Sun, 06 Nov 1994 08:49:37 GMT";
        assert_eq!(print(parse(text).unwrap()).unwrap(), text);
    }
}
