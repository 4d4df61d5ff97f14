//! Percentiles of what was measured, by the nearest rank: each is a value that was measured, and none lies between two.

/// The least of the sorted values that `percent` of 100 values do not exceed; `None` where there is no value.
#[must_use]
pub fn percentile<T: Copy>(sorted: &[T], percent: usize) -> Option<T> {
    let rank = sorted.len().saturating_mul(percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_the_value_at_the_nearest_rank() {
        let hundred: Vec<_> = (1..=100).collect();
        let of = |percent| percentile(&hundred, percent);
        assert_eq!(
            [of(0), of(1), of(50), of(99), of(100)],
            [1, 1, 50, 99, 100].map(Some)
        );
        assert_eq!(percentile(&[15, 20, 35, 40, 50], 30), Some(20));
        assert_eq!(percentile(&[15, 20, 35, 40, 50], 99), Some(50));
        assert_eq!(percentile(&[7], 50), Some(7));
        assert_eq!(percentile(&[1, 2], 50), Some(1));
        assert_eq!(percentile::<u8>(&[], 50), None);
    }
}
