//! What one glance should say: which protocol is better here, by how much, and how sure that is.

use crate::probe::{Question, Step, Told};
use crate::reliability::Better;
use crate::reliability::pairs::MINIMUM;
use crate::web::show;
use crate::web::widget::{Chip, Tone};

/// How one endpoint stands against the first of its comparison.
#[derive(Debug, Clone)]
pub struct Rival {
    pub name: String,
    pub class: &'static str,
    pub chip: Chip,
    /// What the chip says.
    pub word: &'static str,
    /// What is better, and what is worse, each with its interval.
    pub better: Vec<String>,
    pub worse: Vec<String>,
    /// How many questions have no answer yet, as a sentence.
    pub open: String,
}

/// What the rounds of a comparison say.
#[derive(Debug, Clone)]
pub struct Headline {
    /// The name of the comparison.
    pub set: String,
    pub tone: Tone,
    pub sentence: String,
    /// How sure.
    pub sure: String,
    pub rivals: Vec<Rival>,
}

/// Which way a difference is good.
const fn good(question: Question) -> Better {
    match question {
        Question::Time(_) => Better::Lower,
        Question::Connecting | Question::Moving => Better::Higher,
    }
}

/// Is the other one better? None where no difference is shown.
fn wins(told: &Told) -> Option<bool> {
    let difference = told.finding.difference.value.filter(|_| told.finding.shown)?;
    Some(match good(told.question) {
        Better::Lower => difference < 0.0,
        Better::Higher => difference > 0.0,
    })
}

/// What weighs most is said first: reliability before speed, the set-up before the rest.
const fn weight(question: Question) -> u8 {
    match question {
        Question::Moving => 0,
        Question::Connecting => 1,
        Question::Time(Step::Login) => 2,
        Question::Time(Step::Medium) => 3,
        Question::Time(Step::Upload) => 4,
        Question::Time(Step::Small) => 5,
        Question::Time(Step::List) => 6,
    }
}

/// What one other member has over the first.
struct Count<'a> {
    name: &'a str,
    first: &'a str,
    better: Vec<&'a Told>,
    worse: Vec<&'a Told>,
    open: usize,
}

impl<'a> Count<'a> {
    fn of(told: &[&'a Told]) -> Option<Self> {
        let finding = &told.first()?.finding;
        let mut count =
            Self { name: &finding.to, first: &finding.from, better: Vec::new(), worse: Vec::new(), open: 0 };
        for one in told {
            match wins(one) {
                Some(true) => count.better.push(one),
                Some(false) => count.worse.push(one),
                None => count.open += 1,
            }
        }
        for list in [&mut count.better, &mut count.worse] {
            list.sort_by_key(|one| weight(one.question));
        }
        Some(count)
    }

    const fn verdict(&self) -> (Tone, &'static str) {
        match (self.better.is_empty(), self.worse.is_empty()) {
            (false, true) => (Tone::Ok, "better"),
            (true, false) => (Tone::Warn, "worse"),
            (false, false) => (Tone::Idle, "better and worse"),
            (true, true) => (Tone::Idle, "no difference shown"),
        }
    }

    fn rival(&self) -> Rival {
        let (tone, word) = self.verdict();
        let sentences = |all: &[&Told]| all.iter().map(|one| one.finding.gist.clone()).collect();
        let open = u64::try_from(self.open).unwrap_or_default();
        Rival {
            name: self.name.to_owned(),
            class: super::figures::class(self.name),
            chip: Chip::new(tone, word),
            word,
            better: sentences(&self.better),
            worse: sentences(&self.worse),
            open: match open {
                0 => String::new(),
                _ => format!("No difference shown in {}.", show::plural(open, "other thing", "other things")),
            },
        }
    }
}

/// What is said of a comparison at a glance; none when it has no round yet.
pub(in crate::web) fn headline(set: &str, told: &[Told]) -> Option<Headline> {
    let mut others: Vec<_> = told.iter().map(|one| one.other).collect();
    others.dedup();
    let mut counts: Vec<Count<'_>> = others
        .iter()
        .filter_map(|other| Count::of(&told.iter().filter(|one| one.other == *other).collect::<Vec<_>>()))
        .collect();
    let first = counts.first()?.first;
    let n = told.iter().map(|one| one.finding.difference.n).max().unwrap_or_default();
    // The one with most to be said for it, and least against.
    counts.sort_by_key(|count| (!count.worse.is_empty(), std::cmp::Reverse(count.better.len()), count.worse.len()));
    let (tone, sentence) = if n < MINIMUM {
        (Tone::Idle, format!("Too early to say: {} of the {MINIMUM} rounds that a comparison needs.", show::count(n)))
    } else {
        say(first, &counts)
    };
    let sure = format!(
        "From {} in which each was visited within the same minute, with the same files, in random order. Every difference \
         is shown with its 95 % interval; what is not shown is not claimed.",
        show::plural(n, "round", "rounds")
    );
    let rivals = counts.iter().map(Count::rival).collect();
    Some(Headline { set: set.to_owned(), tone, sentence, sure, rivals })
}

/// What weighs most.
fn gist<'a>(list: &[&'a Told]) -> &'a str {
    list.first().map(|one| one.finding.gist.as_str()).unwrap_or_default()
}

fn say(first: &str, counts: &[Count<'_>]) -> (Tone, String) {
    let Some(best) = counts.first() else { return (Tone::Idle, String::new()) };
    match (best.better.is_empty(), best.worse.is_empty()) {
        (false, true) => (
            Tone::Ok,
            format!("{} is better than {first} here: {}; nothing is shown to be worse.", best.name, gist(&best.better)),
        ),
        (false, false) => (
            Tone::Idle,
            format!(
                "{} has its price here: against {first}, {}, but {}.",
                best.name,
                gist(&best.better),
                gist(&best.worse)
            ),
        ),
        (true, false) => (Tone::Warn, format!("{first} is better here: with {}, {}.", best.name, gist(&best.worse))),
        (true, true) => (Tone::Idle, format!("No difference to {first} is shown here yet.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::EndpointId;
    use crate::reliability::pairs::{Moments, Pairs, Subject, shares, times};

    fn time(other: i64, to: &str, by: f64, n: u32) -> Told {
        let differences = Moments::of((0..n).map(|i| by + f64::from(i % 5) / 1000.0));
        let finding = times(Subject::Setup, ("FTP", to), &differences, &Moments::default());
        Told { question: Question::Time(Step::Login), other: EndpointId(other), finding, pairs: Vec::new() }
    }

    fn share(other: i64, to: &str, pairs: Pairs) -> Told {
        let finding = shares(Subject::Moving, ("FTP", to), &pairs);
        Told { question: Question::Moving, other: EndpointId(other), finding, pairs: Vec::new() }
    }

    #[test]
    fn the_best_is_named_with_its_difference() {
        let even = Pairs { both: 60, ..Pairs::default() };
        let told =
            [time(2, "SFTP", 0.4, 60), share(2, "SFTP", even), time(3, "WebDAV", -0.4, 60), share(3, "WebDAV", even)];
        let found = headline("Plant", &told).unwrap();
        assert_eq!(
            found.sentence,
            "WebDAV is better than FTP here: set-up 0.40 s faster [0.40, 0.40]; nothing is shown to be worse."
        );
        let said: Vec<_> = found.rivals.iter().map(|rival| (rival.name.as_str(), rival.chip.to_string())).collect();
        assert!(said[0].0 == "WebDAV" && said[1].1.contains("worse"), "{said:?}");
        assert_eq!(found.rivals[1].open, "No difference shown in 1 other thing.");
        assert!(found.sure.contains("From 60 rounds"));
    }

    #[test]
    fn what_is_mixed_or_unknown_is_called_so() {
        let losing = share(2, "SFTP", Pairs { both: 30, first: 30, ..Pairs::default() });
        let found = headline("Plant", &[time(2, "SFTP", -0.4, 60), losing.clone()]).unwrap();
        assert_eq!(
            found.sentence,
            "SFTP has its price here: against FTP, set-up 0.40 s faster [0.40, 0.40], but transfer success 50.0 percentage \
             points lower [36.3, 62.3]."
        );
        assert!(headline("Plant", &[losing]).unwrap().sentence.starts_with("FTP is better here: with SFTP, transfer"));
        assert!(
            headline("Plant", &[time(2, "SFTP", 0.4, 12)]).unwrap().sentence.starts_with("Too early to say: 12 of")
        );
        assert!(headline("Plant", &[]).is_none());
    }
}
