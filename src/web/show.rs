//! Numbers as people read them.

use std::time::Duration;

/// Bytes in decimal units, as disks and networks are sold: "1.2 GB".
#[must_use]
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    if count < 1000 {
        return format!("{count} B");
    }
    let mut rest = as_f64(count);
    let mut unit = "B";
    for next in UNITS {
        if rest < 999.5 {
            break;
        }
        rest /= 1000.0;
        unit = next;
    }
    if rest < 9.95 { format!("{rest:.1} {unit}") } else { format!("{rest:.0} {unit}") }
}

/// A whole number with thin grouping: "12,480".
#[must_use]
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// "1 file", "2 files".
#[must_use]
pub fn plural(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

/// A span of time: "840 ms", "12 s", "3 min 20 s", "2 h 5 min", "3 d 4 h".
#[must_use]
pub fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0 => format!("{} ms", time.as_millis()),
        1..=9 => format!("{:.1} s", time.as_secs_f64()),
        10..=59 => format!("{seconds} s"),
        60..=3_599 => two(seconds / 60, "min", seconds % 60, "s"),
        3_600..=86_399 => two(seconds / 3_600, "h", seconds % 3_600 / 60, "min"),
        _ => two(seconds / 86_400, "d", seconds % 86_400 / 3_600, "h"),
    }
}

fn two(big: u64, big_unit: &str, small: u64, small_unit: &str) -> String {
    if small == 0 { format!("{big} {big_unit}") } else { format!("{big} {big_unit} {small} {small_unit}") }
}

/// Bytes per second.
#[must_use]
pub fn rate(bytes_per_second: u64) -> String {
    format!("{}/s", bytes(bytes_per_second))
}

/// How much of `whole` is `part`, in whole percent; 100 only when nothing is left to do.
#[must_use]
pub fn percent(part: u64, whole: u64) -> u64 {
    if whole == 0 {
        return 0;
    }
    let percent = u128::from(part.min(whole)) * 100 / u128::from(whole);
    u64::try_from(percent).unwrap_or(100)
}

/// A figure with three digits that matter.
#[must_use]
pub fn figure(value: f64) -> String {
    let size = value.abs();
    if size == 0.0 {
        "0".to_owned()
    } else if size >= 1_000.0 {
        format!("{}{}", if value < 0.0 { "−" } else { "" }, count(to_u64(size)))
    } else if size >= 99.95 {
        format!("{value:.0}")
    } else if size >= 9.995 {
        format!("{value:.1}")
    } else if size >= 0.1 {
        format!("{value:.2}")
    } else if size < 0.000_05 {
        // Never a zero that is none.
        format!("{} 0.0001", if value < 0.0 { "> −" } else { "<" }).replace("− ", "−")
    } else {
        format!("{value:.4}").trim_end_matches('0').to_owned()
    }
}

#[expect(clippy::cast_precision_loss, reason = "for display; 53 bits are plenty")]
fn as_f64(count: u64) -> f64 {
    count as f64
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative; saturates")]
fn to_u64(value: f64) -> u64 {
    value.round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_like_a_person_writes() {
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(1_250), "1.2 kB");
        assert_eq!(bytes(999_600), "1.0 MB");
        assert_eq!(bytes(52_000_000_000), "52 GB");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(span(Duration::from_millis(840)), "840 ms");
        assert_eq!(span(Duration::from_secs(200)), "3 min 20 s");
        assert_eq!(span(Duration::from_secs(7_200)), "2 h");
        assert_eq!(percent(999, 1000), 99);
        assert_eq!(percent(7, 7), 100);
        assert_eq!(figure(0.0171), "0.0171");
        assert_eq!((figure(0.01), figure(0.000_04), figure(0.0)), ("0.01".into(), "< 0.0001".into(), "0".into()));
        assert_eq!(figure(48.25), "48.2");
    }
}
