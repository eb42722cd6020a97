//! Where a value is on an axis, and where the ticks are.

use super::{Shape, Unit};
use crate::summary::shown;

/// An axis over a range of values.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    shape: Shape,
    low: f64,
    high: f64,
}

/// The best quantile that has a place on an axis of nines.
const MOST_NINES: f64 = 0.999_999;

/// Bytes.
const KIB: f64 = 1024.0;
const MIB: f64 = 1024.0 * KIB;

impl Scale {
    /// Over these values, with a little room. Values that a logarithm cannot take are passed over.
    pub fn over(shape: Shape, values: impl IntoIterator<Item = f64>) -> Scale {
        let known = values.into_iter().filter(|value| value.is_finite() && (shape != Shape::Log || *value > 0.0));
        let (low, high) =
            known.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
        let (low, high) = if low <= high { (low, high) } else { (1.0, 10.0) };
        match shape {
            Shape::Linear => Scale { shape, low: low.min(0.0), high: if high > 0.0 { high * 1.05 } else { 1.0 } },
            // A factor of 1.3 on each side is room for a marker, and for a tick where all values are alike.
            Shape::Log => Scale { shape, low: low / 1.3, high: high * 1.3 },
            Shape::Nines => Scale { shape, low: low.clamp(0.0, 0.9), high: high.clamp(0.99, MOST_NINES) },
        }
    }

    /// Where it is, from 0 to 1; outside of that for what is outside.
    pub fn at(&self, value: f64) -> f64 {
        let length = |value: f64| match self.shape {
            Shape::Linear => value,
            Shape::Log => value.max(f64::MIN_POSITIVE).ln(),
            Shape::Nines => -(1.0 - value.min(MOST_NINES)).ln(),
        };
        let (low, high) = (length(self.low), length(self.high));
        (length(value) - low) / (high - low)
    }

    /// Values within the range that are round in this unit, about as many as asked for.
    pub fn ticks(&self, about: usize, unit: Unit) -> Vec<f64> {
        let one = match unit {
            Unit::Bytes if self.high >= MIB => MIB,
            Unit::Bytes if self.high >= KIB => KIB,
            _ => return self.round(about),
        };
        let scale = Scale { shape: self.shape, low: self.low / one, high: self.high / one };
        scale.round(about).into_iter().map(|tick| tick * one).collect()
    }

    fn round(&self, about: usize) -> Vec<f64> {
        match self.shape {
            Shape::Linear => self.linear_ticks(about),
            Shape::Log => self.log_ticks(about),
            Shape::Nines => {
                let all = [0.0, 0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999, MOST_NINES];
                all.into_iter().filter(|tick| *tick >= self.low && *tick <= self.high).collect()
            }
        }
    }

    fn linear_ticks(&self, about: usize) -> Vec<f64> {
        let rough = (self.high - self.low) / about.max(1) as f64;
        let ten = 10_f64.powf(rough.log10().floor());
        let step =
            [1.0, 2.0, 5.0, 10.0].into_iter().map(|of| of * ten).find(|step| *step >= rough * 0.999).unwrap_or(rough);
        let first = (self.low / step).ceil() as i64;
        let last = (self.high / step * (1.0 + 1e-12)).floor() as i64;
        (first..=last).map(|at| at as f64 * step).collect()
    }

    /// Powers of ten; with twos and fives between them where there is room, and only some where there are too many.
    fn log_ticks(&self, about: usize) -> Vec<f64> {
        let of = |parts: &[f64], every: i32| -> Vec<f64> {
            let (first, last) = (self.low.log10().floor() as i32, self.high.log10().ceil() as i32);
            let tens = (first..=last).filter(|ten| ten.rem_euclid(every) == 0);
            let all = tens.flat_map(|ten| parts.iter().map(move |part| part * 10_f64.powi(ten)));
            all.filter(|tick| *tick >= self.low && *tick <= self.high).collect()
        };
        let choices = [of(&[1.0, 2.0, 5.0], 1), of(&[1.0, 3.0], 1), of(&[1.0], 1), of(&[1.0], 2), of(&[1.0], 3)];
        let fit = choices.iter().find(|ticks| ticks.len() <= about && ticks.len() >= 2);
        match fit.or(choices.iter().find(|ticks| ticks.len() >= 2)) {
            Some(ticks) => ticks.clone(),
            // Over less than a factor of two or so the logarithm is nearly a straight line.
            None => self.linear_ticks(about.min(4)),
        }
    }
}

/// A tick's value in a few letters.
pub fn tick(unit: Unit, value: f64) -> String {
    match unit {
        Unit::Count => shown::tick(value),
        Unit::Time => shown::time(value),
        Unit::Bytes => shown::bytes(value),
        Unit::Quantile => format!("{}%", (value * 1e8).round() / 1e6),
    }
}
