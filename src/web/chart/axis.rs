//! From values to places.

/// A scale from `base` to `top`, drawn over `length` units.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Axis {
    base: f64,
    top: f64,
    length: f64,
}

impl Axis {
    /// From zero to a round number that is not below any of `values`.
    #[must_use]
    pub fn over(values: impl IntoIterator<Item = f64>, length: f64) -> Self {
        let largest = values.into_iter().filter(|value| value.is_finite()).fold(0.0, f64::max);
        Self { base: 0.0, top: round_up(largest), length }
    }

    /// From `base` to `top`.
    #[must_use]
    pub const fn between(base: f64, top: f64, length: f64) -> Self {
        Self { base, top, length }
    }

    /// Where it begins.
    #[must_use]
    pub const fn base(&self) -> f64 {
        self.base
    }

    /// Where it ends.
    #[must_use]
    pub const fn top(&self) -> f64 {
        self.top
    }

    /// The place of a value; what lies outside is put to the end that is nearer.
    #[must_use]
    pub fn place(&self, value: f64) -> f64 {
        if self.top > self.base {
            ((value - self.base) / (self.top - self.base)).clamp(0.0, 1.0) * self.length
        } else {
            0.0
        }
    }

    /// The same from the other end, as heights are drawn.
    #[must_use]
    pub fn height(&self, value: f64) -> f64 {
        self.length - self.place(value)
    }
}

/// The next of 1, 1.5, 2, 3, 5, 7 times a power of ten.
fn round_up(value: f64) -> f64 {
    if value <= 0.0 {
        return 1.0;
    }
    let power = 10_f64.powf(value.log10().floor());
    let steps = [1.0, 1.5, 2.0, 3.0, 5.0, 7.0, 10.0];
    steps.into_iter().map(|step| step * power).find(|step| *step >= value * 0.999_999).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_at_a_round_number() {
        for (value, top) in [(0.0, 1.0), (0.94, 1.0), (1.2, 1.5), (48.0, 50.0), (312.0, 500.0), (0.000_65, 0.000_7)] {
            let axis = Axis::over([value], 100.0);
            assert!((axis.top() / top - 1.0).abs() < 1e-9, "{value}: {}", axis.top());
        }
        let axis = Axis::over([40.0], 100.0);
        assert_eq!(
            (axis.place(25.0), axis.height(25.0), axis.place(900.0), axis.place(-3.0)),
            (50.0, 50.0, 100.0, 0.0)
        );
    }
}
