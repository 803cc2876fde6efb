//! The frames of a stream of HTTP/3 (RFC 9114, section 7), cut apart before the library sees them. It keeps whole frames
//! but those of bodies, however large they say to be, and reads on while it takes a frame apart; so it is given no frame
//! that is too large, and never more than one head of a frame or one piece of what is in it.

use super::super::service::HEAD_BYTES;
use crate::net::Refusal;

/// A piece of a body (RFC 9114, section 7.2.1).
const DATA: u64 = 0;
/// A head, or trailers (RFC 9114, section 7.2.2).
const HEADERS: u64 = 1;
/// What a control stream begins with (RFC 9114, section 6.2.1).
const CONTROL: u64 = 0;
/// And the two of QPACK (RFC 9204, section 4.2).
const QPACK: [u64; 2] = [2, 3];
/// Bytes of any other frame: settings, priorities, and what is unknown.
const OTHER_BYTES: u64 = 4096;
/// Bytes of a compressed head. One that is a little too large is let through, so that it is we who answer and count it.
const BLOCK_BYTES: usize = 2 * HEAD_BYTES;

/// Where in a stream we are.
#[derive(Debug)]
pub(super) struct Framing {
    place: Place,
}

#[derive(Debug)]
enum Place {
    /// Before the type of a stream that is for one side only.
    Kind,
    /// Before the head of a frame.
    Head,
    /// In a frame, of which so many bytes are to come.
    Inside(u64),
    /// In a stream without frames.
    Unframed,
    /// In one of QPACK. It means nothing to us: we allow no dynamic table (RFC 9204, section 3.2.3), so the library does
    /// not read it.
    Unread,
}

/// What to do with the bytes that came.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// So many of them go on.
    Give(usize),
    /// So many of them mean nothing. A piece without bytes would be taken for the end of a body.
    Skip(usize),
    /// There are too few of them.
    Wait,
}

impl Framing {
    /// Of a request and its answer.
    pub(super) fn of_request() -> Self {
        Self { place: Place::Head }
    }

    /// Of a stream that says of what kind it is.
    pub(super) fn of_one_side() -> Self {
        Self { place: Place::Kind }
    }

    /// Is it a stream that nobody reads?
    pub(super) fn is_unread(&self) -> bool {
        matches!(self.place, Place::Unread)
    }

    /// May the stream end here?
    pub(super) fn is_whole(&self) -> bool {
        !matches!(self.place, Place::Inside(_))
    }

    /// What to do with `bytes`, which are some. `allowance` is for frames that bring nothing.
    ///
    /// # Errors
    /// What comes is too large or too much.
    pub(super) fn cut(&mut self, bytes: &[u8], mut allowance: impl FnMut() -> bool) -> Result<Cut, Refusal> {
        match self.place {
            Place::Unframed | Place::Unread => Ok(Cut::Give(bytes.len())),
            Place::Inside(left) => {
                let given = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                let left = left.saturating_sub(u64::try_from(given).unwrap_or(u64::MAX));
                self.place = if left == 0 { Place::Head } else { Place::Inside(left) };
                Ok(Cut::Give(given))
            }
            Place::Kind => {
                let Some((kind, size)) = number(bytes) else { return Ok(Cut::Wait) };
                self.place = match kind {
                    CONTROL => Place::Head,
                    kind if QPACK.contains(&kind) => Place::Unread,
                    _ => Place::Unframed,
                };
                Ok(Cut::Give(size))
            }
            Place::Head => {
                let Some((kind, first)) = number(bytes) else { return Ok(Cut::Wait) };
                let Some((length, second)) = number(bytes.get(first..).unwrap_or_default()) else {
                    return Ok(Cut::Wait);
                };
                let most = if kind == HEADERS { u64::try_from(BLOCK_BYTES).unwrap_or(u64::MAX) } else { OTHER_BYTES };
                // The library keeps every piece of such a frame with the block that it came in, so it gets it whole: one
                // that came byte by byte would pin a block for each.
                let whole = u64::try_from(first + second).unwrap_or(u64::MAX).saturating_add(length);
                let is_there = u64::try_from(bytes.len()).is_ok_and(|there| there >= whole);
                if kind != DATA && length <= most && !is_there {
                    return Ok(Cut::Wait);
                }
                match kind {
                    DATA if length > 0 => {}
                    HEADERS if length <= most => {}
                    HEADERS => return Err(Refusal::Head),
                    _ if length > most || !allowance() => return Err(Refusal::Flood),
                    DATA => return Ok(Cut::Skip(first + second)),
                    _ => {}
                }
                self.place = if length == 0 { Place::Head } else { Place::Inside(length) };
                Ok(Cut::Give(first + second))
            }
        }
    }
}

/// A number of variable length (RFC 9000, section 16) and how many bytes it takes.
fn number(bytes: &[u8]) -> Option<(u64, usize)> {
    let first = *bytes.first()?;
    let size = 1_usize << (first >> 6);
    let rest = bytes.get(1..size)?;
    Some((rest.iter().fold(u64::from(first & 0x3f), |number, byte| number << 8 | u64::from(*byte)), size))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All that goes on, piece by piece, when `bytes` come in chunks of this size.
    fn pieces(mut framing: Framing, bytes: &[u8], chunk: usize) -> Result<Vec<Vec<u8>>, Refusal> {
        let (mut ahead, mut given) = (Vec::new(), Vec::new());
        for chunk in bytes.chunks(chunk) {
            ahead.extend_from_slice(chunk);
            while !ahead.is_empty() {
                match framing.cut(&ahead, || true)? {
                    Cut::Give(size) => given.push(ahead.drain(..size).collect()),
                    Cut::Skip(size) => drop(ahead.drain(..size)),
                    Cut::Wait => break,
                }
            }
        }
        assert!(framing.is_whole() && ahead.is_empty());
        Ok(given)
    }

    #[test]
    fn a_frame_that_is_kept_goes_on_in_one_piece_however_it_comes() {
        let mut bytes = vec![HEADERS as u8, 0x47, 0xd0];
        bytes.extend([7; 2000]);
        let given = pieces(Framing::of_request(), &bytes, 1).unwrap();
        assert_eq!(given.iter().map(Vec::len).collect::<Vec<_>>(), [3, 2000]);
    }

    #[test]
    fn heads_and_contents_go_on_one_by_one_however_they_come() {
        let head = [1, 3, b'a', b'b', b'c'];
        let bytes = [&head[..], &[0, 0x40, 5], b"hello", &[0, 0], &[0x21, 1, 9], &[0, 1], b"x"].concat();
        let whole: [&[u8]; 8] = [&[1, 3], b"abc", &[0, 0x40, 5], b"hello", &[0x21, 1], &[9], &[0, 1], b"x"];
        assert_eq!(pieces(Framing::of_request(), &bytes, 100).unwrap(), whole);
        for chunk in 1..7 {
            let given = pieces(Framing::of_request(), &bytes, chunk).unwrap();
            assert_eq!(given.concat(), whole.concat(), "{chunk}");
            assert!(given.len() >= whole.len());
        }
    }

    #[test]
    fn what_says_to_be_large_is_refused_before_it_comes() {
        let huge = [0xff; 8];
        for (framing, head, refused) in [
            (Framing::of_request(), &[1_u8][..], Refusal::Head),
            (Framing::of_request(), &[0x21], Refusal::Flood),
            (Framing::of_one_side(), &[0, 4], Refusal::Flood),
        ] {
            assert_eq!(pieces(framing, &[head, &huge].concat(), 100), Err(refused));
        }
        let mut body = Framing::of_request();
        assert_eq!(body.cut(&[&[0][..], &huge].concat(), || true), Ok(Cut::Give(9)));
        assert!(!body.is_whole(), "a body may be large, but it must come");
    }

    #[test]
    fn frames_that_bring_nothing_are_counted() {
        for frame in [[0_u8, 0], [0x21, 0]] {
            assert_eq!(Framing::of_request().cut(&frame, || false), Err(Refusal::Flood));
        }
        assert_eq!(Framing::of_request().cut(&[0, 1, 0], || false), Ok(Cut::Give(2)));
        for (kind, is_unread) in [(2, true), (3, true), (0x21, false)] {
            let mut unframed = Framing::of_one_side();
            assert_eq!(unframed.cut(&[kind, 0xff, 0xff], || false), Ok(Cut::Give(1)));
            assert_eq!(unframed.is_unread(), is_unread);
            assert_eq!(unframed.cut(&[0xff, 0xff], || false), Ok(Cut::Give(2)));
        }
    }
}
