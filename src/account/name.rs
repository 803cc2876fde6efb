//! What an account may be called.

/// Most characters of an account's name.
pub const MAX_NAME: usize = 64;

/// Why a text cannot be an account's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AccountNameError {
    /// Nothing, or too much.
    #[error("an account name has 1 to 64 characters")]
    Length,
    /// A character that some protocol would stumble over.
    #[error("an account name holds letters, digits and . _ - @ + only: '{0}' is none of them")]
    Character(char),
    /// It would be taken for an option.
    #[error("an account name begins with a letter, a digit or '_'")]
    Start,
}

/// Checks a name. Letters and digits of any script are fine; what HTTP basic authentication (`:`), URLs
/// (`/`), shells and logs would stumble over is not.
///
/// # Errors
/// Says which rule is broken.
pub fn check_name(name: &str) -> Result<(), AccountNameError> {
    if name.is_empty() || name.chars().count() > MAX_NAME {
        return Err(AccountNameError::Length);
    }
    if let Some(bad) = name.chars().find(|c| !c.is_alphanumeric() && !matches!(c, '.' | '_' | '-' | '@' | '+')) {
        return Err(AccountNameError::Character(bad));
    }
    if name.starts_with(['.', '-', '@', '+']) {
        return Err(AccountNameError::Start);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for good in ["anna", "Jörg", "李雷", "a.b-c_d+e@example.org", "_service", "9"] {
            assert_eq!(check_name(good), Ok(()), "{good}");
        }
        for bad in ["", "-rf", "..", "a:b", "a/b", "a b", "a\nb", "a\0", &"x".repeat(65)] {
            assert!(check_name(bad).is_err(), "{bad:?}");
        }
    }
}
