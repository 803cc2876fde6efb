//! What a reader of the test sees.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::Outcome;

/// Milliseconds until all was in the target; `+` where it took a second run, then kilobytes that were sent again.
pub(super) fn table(title: &str, columns: &[&str], rows: &BTreeMap<&str, BTreeMap<&str, Outcome>>) -> String {
    let mut text = format!("{title}: milliseconds until all is right (+: in a second run), and kilobytes sent again\n");
    for (number, column) in columns.iter().enumerate() {
        writeln!(text, "  {}: {}", number + 1, column.lines().next().unwrap_or_default()).unwrap();
    }
    let heads: String = (1..=columns.len()).map(|number| format!("{number:>11}")).collect();
    writeln!(text, "{:<34}{heads}", "").unwrap();
    for (place, cells) in rows {
        write!(text, "{place:<34}").unwrap();
        for column in columns {
            let cell = cells.get(column).map_or_else(String::new, |outcome| {
                let mark = if outcome.runs > 1 { "+" } else { "" };
                let again =
                    if outcome.again > 0 { format!(" {}k", outcome.again.div_ceil(1000)) } else { String::new() };
                format!("{}{mark}{again}", outcome.took.as_millis())
            });
            write!(text, "{cell:>11}").unwrap();
        }
        text.push('\n');
    }
    text
}
