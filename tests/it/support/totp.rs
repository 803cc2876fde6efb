//! An authenticator app: Python's own HMAC, so that our codes are compared with somebody else's.

use std::process::Command;

use causeway::model::{Clock as _, SystemClock};

/// The code of a secret in base32 at a second since 1970.
pub fn code_at(base32: &str, second: i64) -> String {
    let program = format!(
        "import base64, hmac, struct\n\
         t = hmac.digest(base64.b32decode('{base32}'), struct.pack('>q', {second} // 30), 'sha1')\n\
         o = t[-1] & 15\n\
         print('%06d' % ((struct.unpack('>I', t[o:o+4])[0] & 0x7fffffff) % 1000000))"
    );
    let output = Command::new("python3").args(["-c", &program]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// The code of `steps` after the present one.
pub fn code_after(base32: &str, steps: i64) -> String {
    code_at(base32, SystemClock.now().as_second() + 30 * steps)
}
