//! How long something lasts when many are still lasting: Kaplan-Meier.

use super::{Estimate, Z, number};

/// One thing that was watched.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Held {
    /// For how long.
    pub time: f64,
    /// Was it lost then? Else it was let go, and would have lasted longer (right-censored).
    pub lost: bool,
}

/// What was watched for the same time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Group {
    /// For how long.
    pub time: f64,
    /// How many were lost then.
    pub lost: u64,
    /// How many were let go then; they count as at risk until just after it.
    pub kept: u64,
}

/// One step of a survival curve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// From this time on.
    pub time: f64,
    /// The share that is left.
    pub share: f64,
    /// Lower end of its pointwise 95 % interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Of how many just before.
    pub at_risk: u64,
}

/// Puts single times into groups.
#[must_use]
pub fn grouped(held: &mut [Held]) -> Vec<Group> {
    held.sort_unstable_by(|a, b| a.time.total_cmp(&b.time));
    let of = |group: &[Held]| {
        let time = group.first()?.time;
        let lost = u64::try_from(group.iter().filter(|one| one.lost).count()).ok()?;
        Some(Group { time, lost, kept: u64::try_from(group.len()).ok()? - lost })
    };
    held.chunk_by(|a, b| a.time == b.time).filter_map(of).collect()
}

/// The survival curve by the Kaplan-Meier estimator (1958), a step for every time of a loss, with Greenwood's variance
/// on the log(-log) scale. `groups` stand in the order of their times.
#[must_use]
pub fn survival(groups: &[Group]) -> Vec<Step> {
    let mut at_risk: u64 = groups.iter().map(|group| group.lost + group.kept).sum();
    let (mut share, mut greenwood) = (1.0, 0.0);
    let mut steps = Vec::new();
    for group in groups {
        if group.lost > 0 {
            let (risk, gone) = (number(at_risk), number(group.lost));
            share *= (risk - gone) / risk;
            greenwood += gone / (risk * (risk - gone));
            let (low, high) = band(share, greenwood);
            steps.push(Step { time: group.time, share, low, high, at_risk });
        }
        at_risk = at_risk.saturating_sub(group.lost + group.kept);
    }
    steps
}

/// The median time until loss, with the Brookmeyer-Crowley interval (1982) from the bands of the curve.
///
/// The value is the first time at which at most half are left. `value` or `high` is missing when more
/// than half (or, for the bound, too many) outlasted the watching. `events` counts the losses.
#[must_use]
pub fn median_survival(groups: &[Group]) -> Estimate {
    let steps = survival(groups);
    let first = |share: fn(&Step) -> f64| steps.iter().find(|step| share(step) <= 0.5).map(|step| step.time);
    Estimate {
        value: first(|step| step.share),
        low: first(|step| step.low),
        high: first(|step| step.high),
        n: groups.iter().map(|group| group.lost + group.kept).sum(),
        events: groups.iter().map(|group| group.lost).sum(),
        ..Estimate::default()
    }
}

/// The pointwise 95 % band of the survival at one time.
fn band(survival: f64, greenwood: f64) -> (f64, f64) {
    if survival <= 0.0 {
        return (0.0, 0.0);
    }
    let log = survival.ln();
    let spread = Z * greenwood.sqrt() / log;
    let bound = |shift: f64| (-((-log).ln() + shift).exp()).exp();
    let (a, b) = (bound(spread), bound(-spread));
    (a.min(b), a.max(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    // Generated and answered by:
    // import random; from lifelines import KaplanMeierFitter; from lifelines.utils import median_survival_times
    // def case(seed, n, scale, watch):
    //     r = random.Random(seed); t = [(round(r.expovariate(1/scale),1), round(r.uniform(0,watch),1)) for _ in range(n)]
    //     T = [min(a,b) for a,b in t]; E = [a<=b for a,b in t]
    //     k = KaplanMeierFitter().fit(T, E); ci = median_survival_times(k.confidence_interval_)
    //     return T, E, k.median_survival_time_, ci.iloc[0,0], ci.iloc[0,1]
    type Case = (&'static [(f64, bool)], Option<f64>, Option<f64>, Option<f64>);
    const GOLDEN: &[Case] = &[
        // case(1, 30, 100, 300)
        (
            &[
                (14.4, true),
                (76.5, false),
                (68.4, true),
                (105.4, true),
                (8.5, false),
                (129.8, false),
                (0.6, false),
                (58.9, true),
                (26.0, true),
                (9.2, false),
                (2.6, true),
                (114.4, false),
                (24.4, true),
                (2.9, true),
                (57.6, true),
                (26.5, true),
                (24.7, true),
                (6.4, false),
                (166.9, false),
                (55.8, false),
                (258.0, false),
                (12.9, true),
                (127.8, true),
                (126.6, false),
                (177.2, true),
                (36.1, true),
                (214.1, true),
                (70.4, true),
                (3.5, true),
                (124.3, false),
            ],
            Some(68.4),
            Some(26.0),
            Some(177.2),
        ),
        // case(2, 60, 50, 60)
        (
            &[
                (56.9, false),
                (2.9, true),
                (44.2, false),
                (18.5, false),
                (36.4, false),
                (9.5, false),
                (23.6, false),
                (59.7, false),
                (32.7, false),
                (16.1, false),
                (1.6, false),
                (19.1, false),
                (23.9, true),
                (33.6, false),
                (1.4, false),
                (8.2, false),
                (35.7, true),
                (10.9, false),
                (47.8, false),
                (54.4, false),
                (47.4, false),
                (21.8, true),
                (9.7, false),
                (42.9, false),
                (30.9, true),
                (33.7, true),
                (34.7, true),
                (21.8, true),
                (27.7, false),
                (41.9, true),
                (29.2, false),
                (12.5, true),
                (10.0, false),
                (16.1, false),
                (18.6, false),
                (42.4, false),
                (31.1, false),
                (35.3, false),
                (12.5, false),
                (35.9, true),
                (4.5, false),
                (43.6, false),
                (11.5, false),
                (3.5, false),
                (16.4, false),
                (12.8, true),
                (5.6, true),
                (14.7, false),
                (11.8, true),
                (27.5, true),
                (1.6, true),
                (9.4, true),
                (4.3, true),
                (1.3, true),
                (1.1, true),
                (9.4, false),
                (10.2, true),
                (2.6, false),
                (9.1, false),
                (1.8, true),
            ],
            Some(35.9),
            Some(27.5),
            None,
        ),
        // case(3, 40, 300, 100)
        (
            &[
                (54.4, false),
                (60.4, false),
                (6.6, false),
                (4.0, true),
                (23.4, false),
                (47.0, false),
                (47.6, false),
                (15.1, false),
                (86.8, false),
                (74.1, false),
                (6.4, false),
                (59.1, false),
                (3.1, false),
                (47.3, false),
                (87.9, false),
                (92.1, false),
                (80.1, false),
                (93.6, false),
                (9.7, false),
                (21.7, false),
                (43.6, false),
                (30.1, false),
                (38.6, false),
                (58.5, false),
                (90.4, false),
                (92.9, false),
                (99.1, false),
                (16.3, false),
                (96.5, false),
                (56.9, false),
                (21.1, false),
                (57.4, false),
                (6.3, false),
                (99.0, false),
                (27.8, true),
                (15.1, false),
                (76.9, false),
                (4.4, false),
                (4.5, false),
                (33.1, false),
            ],
            None,
            None,
            None,
        ),
        // case(4, 25, 10, 1000)
        (
            &[
                (2.7, true),
                (5.0, true),
                (0.7, true),
                (25.0, true),
                (14.5, true),
                (7.7, true),
                (1.9, true),
                (2.4, true),
                (17.7, true),
                (16.1, true),
                (3.7, true),
                (13.2, true),
                (21.2, true),
                (9.3, true),
                (7.1, true),
                (6.4, true),
                (27.3, true),
                (7.9, true),
                (24.0, true),
                (21.4, true),
                (7.1, true),
                (9.1, true),
                (1.8, true),
                (16.7, true),
                (0.5, true),
            ],
            Some(7.9),
            Some(5.0),
            Some(16.1),
        ),
    ];

    #[test]
    fn as_lifelines_says() {
        for (data, median, low, high) in GOLDEN {
            let mut held: Vec<Held> = data.iter().map(|&(time, lost)| Held { time, lost }).collect();
            let estimate = median_survival(&grouped(&mut held));
            assert_eq!((estimate.value, estimate.low, estimate.high), (*median, *low, *high));
        }
    }

    #[test]
    fn nothing_lost_has_no_median() {
        let mut held = [Held { time: 5.0, lost: false }; 40];
        let estimate = median_survival(&grouped(&mut held));
        assert_eq!((estimate.value, estimate.high, estimate.events, estimate.n), (None, None, 0, 40));
        assert_eq!(median_survival(&[]).value, None);
    }
}
