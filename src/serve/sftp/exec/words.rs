//! Taking a command line apart as a shell would (POSIX Shell Command Language, section 2.2): clients quote for one. Nothing
//! is expanded and nothing runs.

/// The words of `line`; `None` where a quote is open at the end.
pub(super) fn words(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let (mut words, mut word) = (Vec::new(), None::<Vec<u8>>);
    let mut bytes = line.iter().copied();
    while let Some(byte) = bytes.next() {
        match byte {
            b' ' | b'\t' | b'\n' | b'\r' => words.extend(word.take()),
            b'\\' => word.get_or_insert_default().push(bytes.next()?),
            b'\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match bytes.next()? {
                        b'\'' => break,
                        byte => word.push(byte),
                    }
                }
            }
            b'"' => {
                let word = word.get_or_insert_default();
                loop {
                    match bytes.next()? {
                        b'"' => break,
                        b'\\' => match bytes.next()? {
                            special @ (b'"' | b'\\' | b'$' | b'`') => word.push(special),
                            other => word.extend([b'\\', other]),
                        },
                        byte => word.push(byte),
                    }
                }
            }
            byte => word.get_or_insert_default().push(byte),
        }
    }
    words.extend(word);
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_a_shell() {
        let split = |line: &str| {
            words(line.as_bytes()).map(|words| words.iter().map(|w| String::from_utf8_lossy(w).into_owned()).collect())
        };
        for (line, expected) in [
            ("", Some(vec![])),
            ("scp  -t\t-r .", Some(vec!["scp", "-t", "-r", "."])),
            (r"md5sum a\ b\'c", Some(vec!["md5sum", "a b'c"])),
            (r"md5sum 'a b'\''c' ''", Some(vec!["md5sum", "a b'c", ""])),
            (r#"scp -f "a \"b\" \c $d""#, Some(vec!["scp", "-f", r#"a "b" \c $d"#])),
            ("scp 'open", None),
            ("scp \\", None),
        ] {
            let expected: Option<Vec<String>> = expected.map(|words| words.into_iter().map(str::to_owned).collect());
            assert_eq!(split(line), expected, "{line}");
        }
    }
}
