//! Numbers that differ between links and between the lives of one, without a source of randomness.

/// A byte that depends on every bit of both (the finalizer of SplitMix64). The seed comes from an
/// ephemeral key, so it is another one each time an endpoint starts.
pub(super) fn draw(seed: u64, count: u32) -> u8 {
    let step = 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(u64::from(count) + 1);
    let mut bits = seed.wrapping_add(step);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (bits >> 56) as u8
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn draws_spread_over_their_range_and_repeat_for_the_same_link() {
        let of_link: BTreeSet<u8> = (0..256).map(|count| draw(42, count)).collect();
        let of_links: BTreeSet<u8> = (0..256).map(|seed| draw(seed, 1)).collect();
        assert!(of_link.len() > 128 && of_links.len() > 128);
        assert_eq!(draw(42, 7), draw(42, 7));
    }
}
