//! Writing to the terminal. A closed pipe (`causeway audit export | head`) is a quiet end, not an error.

use std::io::{self, Write};

use serde::Serialize;

use super::Failure;

/// Standard output with a table or JSON.
#[derive(Debug)]
pub struct Out {
    json: bool,
}

impl Out {
    /// For people or for scripts.
    #[must_use]
    pub fn new(json: bool) -> Self {
        Self { json }
    }

    /// Is JSON wanted?
    #[must_use]
    pub fn json(&self) -> bool {
        self.json
    }

    /// One line.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn line(&self, text: impl AsRef<str>) -> Result<(), Failure> {
        raw(format!("{}\n", text.as_ref()).as_bytes())
    }

    /// A line for people, nothing for scripts.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn say(&self, text: impl AsRef<str>) -> Result<(), Failure> {
        if self.json { Ok(()) } else { self.line(text) }
    }

    /// A value for scripts.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn value(&self, value: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(value).map_err(|error| Failure::new(error.to_string()))?;
        self.line(text)
    }

    /// A table with as much room as each column needs; the last one is not padded.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn table(&self, head: &[&str], rows: &[Vec<String>]) -> Result<(), Failure> {
        let mut widths: Vec<usize> = head.iter().map(|cell| cell.chars().count()).collect();
        for row in rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let write = |cells: &[&str]| {
            let mut line = String::new();
            for (width, cell) in widths.iter().zip(cells) {
                line.push_str(cell);
                line.extend(std::iter::repeat_n(' ', width.saturating_sub(cell.chars().count()) + 2));
            }
            self.line(line.trim_end())
        };
        write(head)?;
        rows.iter().try_for_each(|row| write(&row.iter().map(String::as_str).collect::<Vec<_>>()))
    }
}

/// Bytes as they are.
///
/// # Errors
/// When they cannot be written.
pub fn raw(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::BrokenPipe,
        _ => Failure::new(format!("the answer cannot be written: {error}")),
    })
}

/// Bytes for people: `1.5 MiB`.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
pub fn bytes(count: u64) -> String {
    let mut size = count as f64;
    for unit in ["B", "KiB", "MiB", "GiB", "TiB"] {
        if size < 1024.0 || unit == "TiB" {
            return if unit == "B" { format!("{count} B") } else { format!("{size:.1} {unit}") };
        }
        size /= 1024.0;
    }
    format!("{count} B")
}
