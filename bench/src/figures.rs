//! Percentiles.

use serde::Serialize;

/// Of one measured quantity; the unit is that of what was measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Percentiles {
    pub(crate) min: f64,
    pub(crate) p50: f64,
    pub(crate) p95: f64,
    pub(crate) p99: f64,
    pub(crate) max: f64,
    pub(crate) mean: f64,
}

impl Percentiles {
    /// By nearest rank: every figure is one that was measured. Zeros when nothing was.
    pub(crate) fn of(measured: &mut [f64]) -> Self {
        measured.sort_by(f64::total_cmp);
        let at = |percent: usize| {
            let rank = (measured.len() * percent).div_ceil(100).max(1) - 1;
            measured.get(rank).copied().map_or(0.0, rounded)
        };
        let mean = rounded(measured.iter().sum::<f64>() / measured.len().max(1) as f64);
        Self {
            min: at(0),
            p50: at(50),
            p95: at(95),
            p99: at(99),
            max: at(100),
            mean,
        }
    }
}

/// Three digits behind the point: more would be noise.
pub(crate) fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

/// `a / b`, or nothing to divide by.
pub(crate) fn ratio(a: f64, b: f64) -> Option<f64> {
    (b > 0.0).then(|| rounded(a / b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_measured_values_and_nothing_measured_is_zero() {
        let mut measured: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        let found = Percentiles::of(&mut measured);
        assert_eq!(
            (found.min, found.p50, found.p95, found.p99, found.max),
            (1.0, 50.0, 95.0, 99.0, 100.0)
        );
        assert_eq!(found.mean, 50.5);
        assert_eq!(Percentiles::of(&mut [7.0]).p95, 7.0);
        assert_eq!(Percentiles::of(&mut []), Percentiles::default());
        assert_eq!(ratio(1.0, 0.0), None);
    }
}
