//! The formats: one file each, and the table of all.

pub mod dos;
mod enterprise;
mod eplf;
mod jes;
pub mod mlsx;
mod mvs;
mod named_first;
mod names;
mod netware;
mod nonstop;
mod nortel;
mod numeric;
mod os2;
pub mod os400;
mod os9;
mod pds;
mod reader;
pub mod unix;
mod vm;
mod vms;
mod vshell;
mod vxworks;

use super::vote::Ballot;
use super::{Line, Zone};

pub use reader::Reader;

/// How lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// The facts of RFC 3659.
    Mlsd,
    /// `ls -l` and its kin.
    Unix,
    /// `ls -l` with mode and time as numbers.
    Numeric,
    /// NetPresenz, Peter's server and WebSTAR on classic Mac OS.
    Mac,
    /// Novell NetWare and Hellsoft.
    NetWare,
    /// IIS, and what looks like `DIR`.
    Dos,
    /// Easily Parsed LIST Format.
    Eplf,
    /// OpenVMS: MultiNet, UCX, TCPware, CMU.
    Vms,
    /// IBM i.
    Os400,
    /// z/OS data sets.
    Mvs,
    /// z/OS: members of a partitioned data set.
    Pds,
    /// z/OS: jobs in the spool.
    Jes,
    /// z/VM and VM/CMS minidisks.
    Vm,
    /// OS/2.
    Os2,
    /// HP NonStop (Tandem Guardian).
    NonStop,
    /// Microware OS-9.
    Os9,
    /// VxWorks.
    VxWorks,
    /// VShell of old.
    VShell,
    /// Nortel wfFtp.
    Nortel,
    /// Sterling Connect:Enterprise.
    ConnectEnterprise,
    /// SuperTCP and NetManage Chameleon: the name comes first.
    NameFirst,
    /// NLST.
    Names,
}

impl Format {
    /// Every one, from the strictest to the laxest.
    pub const ALL: &'static [Self] = &[
        Self::Mlsd,
        Self::Eplf,
        Self::ConnectEnterprise,
        Self::NetWare,
        Self::Mac,
        Self::Unix,
        Self::Numeric,
        Self::Dos,
        Self::Vms,
        Self::Os400,
        Self::NonStop,
        Self::Os9,
        Self::Os2,
        Self::VxWorks,
        Self::VShell,
        Self::Jes,
        Self::Vm,
        Self::Mvs,
        Self::Nortel,
        Self::NameFirst,
        Self::Pds,
        Self::Names,
    ];

    /// Its name, as it is shown and typed.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mlsd => "mlsd",
            Self::Unix => "unix",
            Self::Numeric => "unix-numeric",
            Self::Mac => "mac",
            Self::NetWare => "netware",
            Self::Dos => "dos",
            Self::Eplf => "eplf",
            Self::Vms => "vms",
            Self::Os400 => "os400",
            Self::Mvs => "mvs",
            Self::Pds => "mvs-pds",
            Self::Jes => "jes",
            Self::Vm => "vm-cms",
            Self::Os2 => "os2",
            Self::NonStop => "nonstop",
            Self::Os9 => "os9",
            Self::VxWorks => "vxworks",
            Self::VShell => "vshell",
            Self::Nortel => "nortel",
            Self::ConnectEnterprise => "connect-enterprise",
            Self::NameFirst => "name-first",
            Self::Names => "names",
        }
    }

    /// The format of a name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|format| format.as_str() == name)
    }

    /// May it win because of how many lines it understands? NLST understands every line there is.
    pub(super) const fn stands_for_election(self) -> bool {
        !matches!(self, Self::Names)
    }

    /// Are its lines read as such in a listing of another format as well? Those of the laxest look like anything.
    const fn is_plain(self) -> bool {
        !matches!(self, Self::Names | Self::Pds | Self::NameFirst | Self::Nortel)
    }

    /// The format that begins with this line.
    pub(super) fn of_header(line: &[u8]) -> Option<Self> {
        HEADERS.iter().find(|(words, _)| begins_with(line, words)).map(|(_, format)| *format)
    }

    /// The line in this format; `None` when it is not of it.
    pub(super) fn parse(self, line: &[u8], ballot: &Ballot, zone: &Zone) -> Option<Line> {
        let raw = match self {
            Self::Mlsd => return mlsx::parse(line, ballot),
            Self::Unix => unix::parse(line, ballot, zone),
            Self::Numeric => numeric::parse(line),
            Self::Mac => unix::parse_mac(line, ballot, zone),
            Self::NetWare => netware::parse(line, ballot, zone),
            Self::Dos => dos::parse(line, ballot.habits.day_first, zone),
            Self::Eplf => eplf::parse(line),
            Self::Vms => vms::parse(line, zone),
            Self::Os400 => os400::parse(line, ballot.order, zone),
            Self::Mvs => mvs::parse(line),
            Self::Pds => pds::parse(line, ballot, zone),
            Self::Jes => jes::parse(line),
            Self::Vm => vm::parse(line, zone),
            Self::Os2 => os2::parse(line, ballot.habits, zone),
            Self::NonStop => nonstop::parse(line, zone),
            Self::Os9 => os9::parse(line, zone),
            Self::VxWorks => vxworks::parse(line, zone),
            Self::VShell => vshell::parse(line, zone),
            Self::Nortel => nortel::parse(line, zone),
            Self::ConnectEnterprise => enterprise::parse(line, zone),
            Self::NameFirst => named_first::parse(line, ballot.habits, zone),
            Self::Names => Some(names::parse(line)),
        };
        raw.map(Line::Entry)
    }
}

/// First lines that name the columns, or the folder.
const HEADERS: &[(&[&str], Format)] = &[
    (&["volume", "unit"], Format::Mvs),
    (&["name", "vv.mm"], Format::Pds),
    (&["name", "size", "ttr"], Format::Pds),
    (&["name", "prompt", "size", "ttr"], Format::Pds),
    (&["jobname", "jobid"], Format::Jes),
    (&["file", "code", "eof"], Format::NonStop),
    (&["size", "date", "time", "name"], Format::VxWorks),
];

fn begins_with(line: &[u8], wanted: &[&str]) -> bool {
    let text = String::from_utf8_lossy(line.get(..200).unwrap_or(line)).to_ascii_lowercase();
    let mut found = text.split_ascii_whitespace();
    wanted.iter().all(|word| found.next() == Some(word))
}

/// What a line is, by the ballot.
pub(super) fn understand(line: &[u8], ballot: &Ballot, zone: &Zone) -> (Format, Line) {
    if line.iter().all(u8::is_ascii_whitespace) {
        return (ballot.format, Line::Noise);
    }
    if let Some(found) = ballot.format.parse(line, ballot, zone) {
        return (ballot.format, found);
    }
    if ballot.only {
        return (ballot.format, Line::Unparsed);
    }
    let others = Format::ALL.iter().copied().filter(|format| format.is_plain() && *format != ballot.format);
    for format in others {
        if let Some(found) = format.parse(line, ballot, zone) {
            return (format, found);
        }
    }
    (ballot.format, if is_noise(line, ballot.format) { Line::Noise } else { Line::Unparsed })
}

/// "total 12" in the languages of `ls`.
const TOTALS: &[&str] = &[
    "total",
    "totale",
    "totaal",
    "totalt",
    "insgesamt",
    "gesamt",
    "razem",
    "łącznie",
    "celkem",
    "összesen",
    "toplam",
    "yhteensä",
    "итого",
    "всего",
    "загалом",
    "σύνολο",
    "总用量",
    "總用量",
    "总计",
    "總計",
    "合計",
    "합계",
];

/// Lines that name nothing and say nothing against the listing.
fn is_noise(line: &[u8], format: Format) -> bool {
    // Names of columns, a rule below them, the folder itself as the heading of what follows.
    if Format::of_header(line).is_some() || line.iter().all(|b| b"-= ".contains(b)) || line == b".:" {
        return true;
    }
    let text = String::from_utf8_lossy(line.get(..400).unwrap_or(line)).to_lowercase();
    let words = text.split_whitespace().collect::<Vec<_>>();
    if format == Format::Vms && vms::is_frame(&words) {
        return true;
    }
    let Some((first, rest)) = words.split_first() else { return false };
    let (first, glued) = first.split_once([':', '：']).unwrap_or((first, ""));
    let count = rest.first().copied().unwrap_or(glued);
    TOTALS.contains(&first)
        && rest.len() <= 2
        && (count.is_empty() || count.starts_with(|c: char| c.is_ascii_digit()))
        && rest.get(1).is_none_or(|unit| unit.chars().all(char::is_alphanumeric))
}
