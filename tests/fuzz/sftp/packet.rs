//! SFTP requests as bytes, by hand: a codec cannot check itself. Used by the tests and by the fuzz targets.

/// A field of a request: text with its length, a number of 32 bits, one of 64.
pub enum Field<'a> {
    S(&'a [u8]),
    U(u32),
    L(u64),
}

/// The body of a request.
pub fn request(kind: u8, id: u32, fields: &[Field<'_>]) -> Vec<u8> {
    let mut body = vec![kind];
    body.extend_from_slice(&id.to_be_bytes());
    for field in fields {
        match field {
            Field::S(bytes) => {
                body.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
                body.extend_from_slice(bytes);
            }
            Field::U(value) => body.extend_from_slice(&value.to_be_bytes()),
            Field::L(value) => body.extend_from_slice(&value.to_be_bytes()),
        }
    }
    body
}
