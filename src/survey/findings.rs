//! What the figures mean for a migration: what cannot be carried over and why, what wants a decision, what is good to
//! know. One sentence each, with what to do.

use serde::{Deserialize, Serialize};

use super::census::Census;
use super::clock;
use super::names::{Names, Trouble};
use super::report::{Doubtful, Stopped, Unread};
use crate::model::charset::Verdict;
use crate::remote::{DotFiles, Encryption, Proven, Traits};

/// How much it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Weight {
    /// It will not be there afterwards, as things are.
    Lost,
    /// Somebody has to decide.
    Decide,
    /// Good to know.
    Know,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Finding {
    /// How much it matters.
    pub weight: Weight,
    /// What was found.
    pub what: String,
    /// What to do about it.
    pub advice: String,
    /// Examples.
    pub examples: Vec<String>,
}

/// What findings are drawn from.
pub(super) struct Seen<'a> {
    pub(super) stopped: Option<&'a Stopped>,
    pub(super) unread: &'a Unread,
    pub(super) doubtful: &'a Doubtful,
    pub(super) census: &'a Census,
    pub(super) names: &'a Names,
    pub(super) charset: &'a Verdict,
    pub(super) server: &'a Traits,
    pub(super) clock: &'a clock::Verdict,
    /// Files that could not be read when they were tried.
    pub(super) failed: &'a [String],
}

/// All findings, the gravest first.
pub(super) fn draw(seen: &Seen<'_>) -> Vec<Finding> {
    let mut all = Findings::default();
    of_reading(seen, &mut all);
    of_entries(seen.census, &mut all);
    of_names(seen, &mut all);
    of_server(seen.server, &mut all);
    of_clock(seen.clock, seen.census, &mut all);
    all.0.sort_by_key(|finding| finding.weight);
    all.0
}

#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, weight: Weight, what: impl Into<String>, advice: &str, examples: Vec<String>) {
        self.0.push(Finding { weight, what: what.into(), advice: advice.to_owned(), examples });
    }
}

fn plural(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

fn of_reading(seen: &Seen<'_>, all: &mut Findings) {
    if let Some(stopped) = seen.stopped {
        let advice = "survey again with more time; every figure here is about the part that was read";
        all.add(Weight::Know, stopped.sentence(), advice, Vec::new());
    }
    let told =
        |troubles: &[super::report::Trouble]| troubles.iter().map(|one| format!("{}: {}", one.path, one.why)).collect();
    let Unread { count, examples, not_entered, .. } = seen.unread;
    if *count > 0 {
        let what = format!("{} cannot be read, with all that lies below", plural(*count, "folder", "folders"));
        let advice = "let this account read them on the server, or decide that they stay behind";
        all.add(Weight::Lost, what, advice, told(examples));
    }
    if *not_entered > 0 {
        let what =
            format!("{} were not entered, because too many others waited", plural(*not_entered, "folder", "folders"));
        all.add(Weight::Know, what, "survey the large folders one by one; a mirror reads them all", Vec::new());
    }
    let Doubtful { hiding, examples, unproven, unproven_why } = seen.doubtful;
    if *hiding > 0 {
        let what = format!("the listings of {} do not name everything", plural(*hiding, "folder", "folders"));
        let advice = "'causeway ls' shows such a listing line by line; what it does not name cannot be copied";
        all.add(Weight::Lost, what, advice, told(examples));
    }
    if *unproven > 0 {
        let what =
            format!("of {} it cannot be proven that the listing is complete", plural(*unproven, "folder", "folders"));
        let advice = "everything that is listed is copied; nothing is ever removed from the target on the word of such a listing";
        all.add(Weight::Know, what, advice, unproven_why.iter().cloned().collect());
    }
    if !seen.failed.is_empty() {
        let what = format!("{} that were tried cannot be read", plural(seen.failed.len() as u64, "file", "files"));
        all.add(Weight::Lost, what, "let this account read them; others like them may exist", seen.failed.to_vec());
    }
}

fn of_entries(census: &Census, all: &mut Findings) {
    let specials = plural(census.specials, "device, pipe or socket is", "devices, pipes or sockets are");
    for (count, weight, what, advice, examples) in [
        (
            census.unreadable,
            Weight::Lost,
            format!("{} no read permission for anybody", plural(census.unreadable, "file has", "files have")),
            "give them one on the server, or decide that they stay behind",
            &census.unreadable_examples,
        ),
        (
            census.specials,
            Weight::Lost,
            format!("{specials} not copied"),
            "they have no content to migrate",
            &census.special_examples,
        ),
        (
            census.links,
            Weight::Decide,
            format!(
                "{} left out, because links are not followed ({} out of the tree)",
                plural(census.links, "symbolic link is", "symbolic links are"),
                if census.links_out == 1 { "1 leads".to_owned() } else { format!("{} lead", census.links_out) }
            ),
            "make folders or copies of those that clients use, or add a job for where they point",
            &census.link_examples,
        ),
        (
            census.unknown,
            Weight::Lost,
            format!("of {} the listing does not say what they are", plural(census.unknown, "name", "names")),
            "'causeway ls' shows the lines; such entries are refused",
            &Vec::new(),
        ),
        (
            census.sizeless,
            Weight::Know,
            format!("of {} the listing tells no size", plural(census.sizeless, "file", "files")),
            "they are copied, and the totals here are too small by their bytes",
            &Vec::new(),
        ),
    ] {
        if count > 0 {
            all.add(weight, what, advice, examples.clone());
        }
    }
}

fn of_names(seen: &Seen<'_>, all: &mut Findings) {
    for troubled in &seen.names.troubled {
        let (weight, advice) = match troubled.trouble {
            Trouble::Ours => (Weight::Lost, "rename them on the server"),
            Trouble::LineBreak => (Weight::Lost, "rename them on the server: no command can name them"),
            Trouble::NotUtf8 => (Weight::Decide, legacy(seen.charset)),
            Trouble::Control => (Weight::Decide, "they are copied as they are; many clients cannot show or open them"),
            Trouble::Case => (
                Weight::Decide,
                "on a target or client that does not tell case apart only one of them survives: rename the others",
            ),
            Trouble::Composition => (Weight::Decide, "macOS and some targets take them for one: rename all but one"),
            Trouble::WindowsDevice | Trouble::WindowsEnd | Trouble::WindowsCharacter | Trouble::WindowsPath => {
                (Weight::Decide, "they are copied; clients on Windows cannot open them: rename them if there are any")
            }
        };
        let what = format!("names that {}: {}", troubled.trouble.words(), troubled.count);
        all.add(weight, what, advice, troubled.examples.clone());
    }
    if seen.names.not_compared > 0 {
        let what = format!(
            "{} of very large folders were not compared with each other",
            plural(seen.names.not_compared, "name", "names")
        );
        all.add(Weight::Know, what, "some may differ in case only", Vec::new());
    }
}

const fn legacy(charset: &Verdict) -> &'static str {
    match charset {
        Verdict::Legacy { guess, .. } if guess.is_sure() => {
            "mirror with --charset auto, or name the set: then the target's names are UTF-8; without it their bytes are kept"
        }
        _ => "their character set cannot be told for sure: name it with --charset, or their bytes are kept as they are",
    }
}

fn of_server(server: &Traits, all: &mut Findings) {
    match &server.encryption {
        Encryption::Offered { version, .. } => {
            let what =
                format!("passwords and files cross the network in the clear, though the server offers {version}");
            all.add(Weight::Decide, what, "use ftp+tls:// for the migration", Vec::new());
        }
        Encryption::Refused { reply } => {
            let advice = "migrate inside a trusted network or a tunnel, and change the passwords afterwards";
            all.add(
                Weight::Decide,
                "passwords and files cross the network in the clear: the server offers no TLS",
                advice,
                vec![reply.clone()],
            );
        }
        Encryption::Unknown | Encryption::Needless | Encryption::Used { .. } => {}
    }
    if server.dot_files == DotFiles::Hidden {
        let advice = "Causeway asks so that they are shown; other programs miss them";
        all.add(Weight::Know, "a plain LIST hides names with a dot in front", advice, Vec::new());
    }
    for skill in &server.skills {
        if let (Some(true), Proven::Fails { why }) = (skill.announced, &skill.proven) {
            let what = format!("the server announces {}, and it does not work: {why}", skill.name);
            all.add(Weight::Know, what, "Causeway does without it", Vec::new());
        }
        if let ("REST", Proven::Fails { why }) = (skill.name.as_str(), &skill.proven) {
            let what = format!("a broken transfer cannot be gone on with: {why}");
            all.add(
                Weight::Decide,
                what,
                "large files begin anew after every break: choose a quiet time for them",
                Vec::new(),
            );
        }
    }
    if let Some(limit) = server.connections.limit {
        let what = format!("the server bears {} at once", plural(u64::from(limit), "connection", "connections"));
        all.add(
            Weight::Know,
            what,
            "a mirror finds that out and keeps to it; partners may be turned away meanwhile",
            server.connections.refusals.clone(),
        );
    }
}

fn of_clock(clock: &clock::Verdict, census: &Census, all: &mut Findings) {
    match clock {
        clock::Verdict::Other { .. } | clock::Verdict::Unclear { .. } | clock::Verdict::Exact { differ: 1.., .. } => {
            let said = clock.sentence().unwrap_or_default();
            all.add(
                Weight::Decide,
                format!("the clock of the listings: {said}"),
                "name the right zone, or times are off by it",
                Vec::new(),
            );
        }
        _ => {}
    }
    if census.ages.ahead > 0 {
        let what =
            format!("{} a time that is more than a day ahead", plural(census.ages.ahead, "file has", "files have"));
        all.add(Weight::Know, what, "times are carried over as they are; a clock was or is wrong", Vec::new());
    }
    if census.ages.unknown > 0 {
        let what = format!("{} no time", plural(census.ages.unknown, "file has", "files have"));
        all.add(
            Weight::Know,
            what,
            "a change of such a file shows by its size only, unless content is compared",
            Vec::new(),
        );
    }
    if census.lately.day > 0 {
        let what =
            format!("{} changed within the last day: the tree is in use", plural(census.lately.day, "file", "files"));
        all.add(
            Weight::Know,
            what,
            "mirror again and again until the switch; what changes while it is read is never published torn",
            Vec::new(),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::remote::Skill;

    fn draw_from(census: &Census, server: &Traits) -> Vec<Finding> {
        draw(&Seen {
            stopped: None,
            unread: &Unread::default(),
            doubtful: &Doubtful::default(),
            census,
            names: &Names::default(),
            charset: &Verdict::Ascii,
            server,
            clock: &clock::Verdict::Silent,
            failed: &[],
        })
    }

    #[test]
    fn a_clean_tree_has_no_findings() {
        assert_eq!(draw_from(&Census::default(), &Traits::default()), []);
    }

    #[test]
    fn the_gravest_comes_first() {
        let census = Census { links: 1, specials: 2, sizeless: 3, ..Census::default() };
        let server = Traits {
            skills: vec![Skill::fails("MLSD", Some(true), "500 what?"), Skill::fails("REST", None, "502 no")],
            encryption: Encryption::Refused { reply: "500 no".into() },
            dot_files: DotFiles::Hidden,
            ..Traits::default()
        };
        let found = draw_from(&census, &server);
        let weights: Vec<_> = found.iter().map(|one| one.weight).collect();
        assert!(weights.is_sorted(), "{weights:?}");
        let words: Vec<_> = found.iter().map(|one| one.what.as_str()).collect();
        for wanted in [
            "2 devices, pipes or sockets are not copied",
            "1 symbolic link is left out, because links are not followed (0 lead out of the tree)",
            "of 3 files the listing tells no size",
            "the server announces MLSD, and it does not work: 500 what?",
            "a broken transfer cannot be gone on with: 502 no",
            "a plain LIST hides names with a dot in front",
        ] {
            assert!(words.contains(&wanted), "{wanted}: {words:#?}");
        }
    }
}
