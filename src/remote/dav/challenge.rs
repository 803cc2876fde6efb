//! What a server asks a client to log in with (RFC 9110, section 11.6.1).

use http::HeaderMap;
use http::header::WWW_AUTHENTICATE;

/// One way of logging in that the server offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Challenge {
    /// In small letters.
    pub(super) scheme: String,
    parameters: Vec<(String, String)>,
}

impl Challenge {
    /// A parameter, by its name in small letters.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// All that an answer offers.
pub(super) fn challenges(headers: &HeaderMap) -> Vec<Challenge> {
    let mut all = Vec::new();
    for value in headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok()) {
        read(value, &mut all);
    }
    all
}

/// Schemes and their parameters stand in one list, told apart only by the `=` behind a parameter's name.
fn read(value: &str, all: &mut Vec<Challenge>) {
    let mut rest = value.trim_start_matches([' ', '\t', ',']);
    while !rest.is_empty() {
        let (word, behind) = token(rest);
        if word.is_empty() {
            // Nothing that the grammar knows: what was understood so far stands.
            return;
        }
        match behind.trim_start().strip_prefix('=') {
            Some(value) if !value.starts_with('=') => {
                let (text, behind) = quoted_or_token(value.trim_start());
                if let Some(last) = all.last_mut() {
                    last.parameters.push((word.to_ascii_lowercase(), text));
                }
                rest = behind;
            }
            _ => {
                all.push(Challenge { scheme: word.to_ascii_lowercase(), parameters: Vec::new() });
                rest = behind;
            }
        }
        rest = rest.trim_start_matches([' ', '\t', ',', '=']);
    }
}

fn token(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| c.is_whitespace() || matches!(c, ',' | '=' | '"')).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

fn quoted_or_token(text: &str) -> (String, &str) {
    let Some(inside) = text.strip_prefix('"') else {
        let (word, rest) = token(text);
        return (word.to_owned(), rest);
    };
    let mut value = String::new();
    let mut chars = inside.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => value.extend(chars.next().map(|(_, escaped)| escaped)),
            '"' => return (value, inside.get(at + 1..).unwrap_or_default()),
            c => value.push(c),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_offers_in_one_line_are_told_apart() {
        let mut headers = HeaderMap::new();
        headers.append(
            WWW_AUTHENTICATE,
            "Negotiate, NTLM TlRMTVNTUAAB==, Basic realm=\"a \\\"b\\\", c\"".parse().unwrap(),
        );
        headers.append(
            WWW_AUTHENTICATE,
            "Digest realm=\"x\", nonce=\"n==\", algorithm=SHA-256, qop=\"auth,auth-int\", stale=TRUE".parse().unwrap(),
        );
        let all = challenges(&headers);
        let schemes: Vec<_> = all.iter().map(|one| one.scheme.as_str()).collect();
        assert_eq!(schemes.first(), Some(&"negotiate"));
        let basic = all.iter().find(|one| one.scheme == "basic").unwrap();
        assert_eq!(basic.get("realm"), Some("a \"b\", c"));
        let digest = all.iter().find(|one| one.scheme == "digest").unwrap();
        assert_eq!((digest.get("nonce"), digest.get("qop")), (Some("n=="), Some("auth,auth-int")));
        assert_eq!((digest.get("stale"), digest.get("algorithm")), (Some("TRUE"), Some("SHA-256")));
    }

    #[test]
    fn nonsense_ends_quietly() {
        for text in ["", "\"", "=", "Basic realm=\"open", "Digest =,=,", ",,,"] {
            let mut headers = HeaderMap::new();
            headers.append(WWW_AUTHENTICATE, text.parse().unwrap());
            assert!(challenges(&headers).len() <= 1, "{text}");
        }
    }
}
