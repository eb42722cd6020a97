//! Where things stand in a chart.

use crate::report::chart::labels::apart;
use crate::report::chart::marks::mark;
use crate::report::chart::scale::{Scale, tick};
use crate::report::chart::{Shape, Unit};
use crate::summary::designs::DESIGNS;

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-9
}

#[test]
fn a_linear_scale_begins_at_zero_and_has_round_ticks() {
    let scale = Scale::over(Shape::Linear, [20.0, 83.0]);
    assert_eq!(scale.at(0.0), 0.0);
    assert!(scale.at(83.0) < 1.0);
    assert_eq!(scale.ticks(5, Unit::Count), [0.0, 20.0, 40.0, 60.0, 80.0]);
}

#[test]
fn a_log_scale_gives_each_factor_the_same_length() {
    let scale = Scale::over(Shape::Log, [1.0, 10_000.0]);
    assert!(close(scale.at(10.0) - scale.at(1.0), scale.at(10_000.0) - scale.at(1_000.0)));
    assert!(scale.at(1.0) > 0.0 && scale.at(10_000.0) < 1.0);
    assert_eq!(scale.ticks(8, Unit::Count), [1.0, 10.0, 100.0, 1_000.0, 10_000.0]);
}

#[test]
fn a_log_scale_over_less_than_a_factor_of_ten_has_ticks_too() {
    assert!(Scale::over(Shape::Log, [300.0, 900.0]).ticks(6, Unit::Count).len() >= 2);
    assert!(!Scale::over(Shape::Log, [70.0]).ticks(6, Unit::Count).is_empty());
}

#[test]
fn a_log_scale_over_very_much_has_few_ticks() {
    let ticks = Scale::over(Shape::Log, [1e-3, 1e9]).ticks(6, Unit::Count);
    assert!(ticks.len() <= 7 && ticks.len() >= 2, "{ticks:?}");
}

#[test]
fn each_nine_has_the_same_length() {
    let scale = Scale::over(Shape::Nines, [0.0, 0.9999]);
    assert!(close(scale.at(0.99) - scale.at(0.9), scale.at(0.9999) - scale.at(0.999)));
    assert_eq!(scale.ticks(9, Unit::Count), [0.0, 0.5, 0.9, 0.99, 0.999, 0.9999]);
    assert!(scale.at(1.0).is_finite());
}

#[test]
fn scales_take_what_is_not_a_figure() {
    for shape in [Shape::Linear, Shape::Log, Shape::Nines] {
        for values in [vec![], vec![f64::NAN], vec![0.0], vec![-1.0, f64::INFINITY], vec![5.0, 5.0]] {
            let scale = Scale::over(shape, values.clone());
            assert!(scale.at(1.0).is_finite() && scale.at(0.0).is_finite(), "{shape:?} {values:?}");
            assert!(scale.ticks(5, Unit::Count).len() < 30, "{shape:?} {values:?}");
        }
    }
}

#[test]
fn bytes_have_ticks_that_are_round_in_powers_of_1024() {
    const MIB: f64 = 1_048_576.0;
    let ticks = Scale::over(Shape::Log, [2.0 * MIB, 90.0 * MIB]).ticks(7, Unit::Bytes);
    assert_eq!(ticks, [2.0, 5.0, 10.0, 20.0, 50.0, 100.0].map(|tick| tick * MIB));
}

#[test]
fn ticks_carry_their_unit() {
    assert_eq!(tick(Unit::Count, 20_000.0), "20k");
    assert_eq!(tick(Unit::Count, 1_000.0), "1,000");
    assert_eq!(tick(Unit::Time, 1_000.0), "1 ms");
    assert_eq!(tick(Unit::Bytes, 1_048_576.0), "1 MiB");
    assert_eq!(tick(Unit::Quantile, 0.9999), "99.99%");
}

#[test]
fn names_that_would_touch_move_apart_and_keep_their_order() {
    let wishes = [50.0, 52.0, 51.0, 200.0, 0.0];
    let heights = apart(&wishes, 14.0, 10.0, 300.0);
    assert_eq!(heights[3], 200.0);
    assert_eq!(heights[4], 10.0);
    let mut order: Vec<usize> = (0..5).collect();
    order.sort_by(|a, b| heights[*a].total_cmp(&heights[*b]));
    assert_eq!(order, [4, 0, 2, 1, 3]);
    assert!(close(heights[2], 51.0), "the middle of three stays: {heights:?}");
}

#[test]
fn names_stay_within_the_picture_and_never_overlap_while_there_is_room() {
    for count in 1..20 {
        for at in [0.0, 55.0, 300.0] {
            let wishes: Vec<f64> = (0..count).map(|one| at + f64::from(one) * 0.1).collect();
            let heights = apart(&wishes, 14.0, 10.0, 290.0);
            assert!(heights.iter().all(|height| (9.999..=290.001).contains(height)), "{heights:?}");
            assert!(heights.windows(2).all(|pair| pair[1] - pair[0] > 13.999), "{heights:?}");
        }
    }
}

#[test]
fn more_names_than_there_is_room_for_share_it_evenly() {
    let heights = apart(&[5.0; 11], 14.0, 0.0, 100.0);
    assert!(heights.windows(2).all(|pair| close(pair[1] - pair[0], 10.0)), "{heights:?}");
}

#[test]
fn no_two_designs_share_a_colour_or_both_dash_and_shape() {
    for (at, one) in DESIGNS.iter().enumerate() {
        for other in &DESIGNS[at + 1..] {
            let (one, other) = (mark(one.name), mark(other.name));
            assert_ne!(one.class, other.class);
            assert_ne!(one.shape, other.shape);
        }
    }
}
