//! Where a mutation gets its choices from: a seed, or the bytes of a coverage-guided fuzzer.

/// A sequence of choices.
#[derive(Debug)]
pub(crate) enum Choices<'b> {
    /// `SplitMix64` (Steele, Lea and Flood, 2014): small, and the same everywhere.
    Seed(u64),
    /// One byte a choice, two where there is more to choose from; nothing but zeros at its end.
    #[allow(dead_code)] // the fuzzer's
    Bytes(&'b [u8]),
}

impl Choices<'_> {
    fn next(&mut self, end: u64) -> u64 {
        match self {
            Self::Seed(state) => {
                *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
                let mut z = *state;
                z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
                (z ^ (z >> 31)) % end
            }
            Self::Bytes(rest) => {
                let mut byte = || match rest.split_first() {
                    Some((first, others)) => {
                        *rest = others;
                        u64::from(*first)
                    }
                    None => 0,
                };
                let mut value = byte();
                if end > 256 {
                    value = value << 8 | byte();
                }
                value % end
            }
        }
    }

    /// A number below `end`, 0 where there is none.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end.max(1)).unwrap();
        usize::try_from(self.next(end)).unwrap()
    }

    /// One of these.
    pub(crate) fn of<'t, T>(&mut self, all: &'t [T]) -> &'t T {
        &all[self.below(all.len())]
    }

    /// A yes, once in `times`.
    pub(crate) fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }
}
