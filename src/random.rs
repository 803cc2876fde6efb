//! Random numbers, from the kernel and from nowhere else: it has them ready, while a generator of our own would first
//! have to measure the machine for tens of milliseconds, in every command that needs a single one.

use std::io;

use rustix::rand::{GetRandomFlags, getrandom};

/// Fills `bytes` with random numbers that are fit for keys.
///
/// # Errors
/// The kernel's, which since Linux 5.6 has none once the machine has started.
pub fn fill(bytes: &mut [u8]) -> io::Result<()> {
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match getrandom(rest, GetRandomFlags::empty()) {
            Ok(count) => filled += count,
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_filled() {
        let (mut one, mut other) = ([0; 4096], [0; 4096]);
        fill(&mut one).unwrap();
        fill(&mut other).unwrap();
        assert_ne!(one, other);
        // None of 64 places stays empty, unless by a chance of 2 to the -512.
        assert!(one.chunks(64).all(|place| place.iter().any(|byte| *byte != 0)));
    }
}
