//! The fuzz bodies on seeds and on seeds with a few bytes changed, in every test run.

use alloc::vec::Vec;
use proptest::prelude::*;

const SEEDS: [&str; 6] = [
    r#"{"hashname":"jhchbufcbylymlz7yjxylns5x75ov6yaqj2jnyxhgmbpvvbqsoxq","keys":{},"paths":[]}"#,
    r#"{"keys":{"3a":"aa"},"paths":[{"type":"udp4","ip":"192.0.2.1","port":42424}]}"#,
    r#"{"keys":{"3a":"aa","1a":"ae"},"paths":[{"type":"udp6","ip":"::ffff:1.2.3.4","port":1}],"x":1.1e-7}"#,
    r#"{"keys":{"3a":"aa"},"intermediates":{"1a":"jhchbufcbylymlz7yjxylns5x75ov6yaqj2jnyxhgmbpvvbqsoxq"}}"#,
    r#"{"keys":{"3a":"aa"},"secrets":{"3a":"ae"},"later":[{"a":-0.0},"\u00e9",1e300]}"#,
    r#"{"version":1,"keys":{"42":"aa"},"secrets":{"42":"ae"}}"#,
];

/// A seed with some bytes replaced, a stretch repeated and the end cut off.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let changes = proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
    (prop::sample::select(&SEEDS[..]), changes, 0..8usize).prop_map(|(seed, changes, cut)| {
        let mut data: Vec<u8> = seed.bytes().collect();
        for (index, byte) in changes {
            let at = index.index(data.len());
            // Digits and punctuation get further than arbitrary bytes.
            data[at] = b"0123456789abcdef{}[]\",:.-+eE\\ "[usize::from(byte) % 30];
        }
        data.truncate(data.len().saturating_sub(if cut < 6 { 0 } else { cut }));
        data
    })
}

#[test]
fn the_seeds_can_be_read() {
    for (index, seed) in SEEDS.into_iter().enumerate() {
        let link = crate::LinkJson::parse(seed);
        assert!(link.is_ok(), "{seed}");
        assert_eq!(
            crate::IdentityJson::parse(seed).is_ok(),
            index >= 4,
            "{seed}"
        );
    }
}

proptest! {
    #[test]
    fn link_json_and_identities_hold_their_properties(data in mutated()) {
        super::link_json(&data);
        super::identity(&data);
    }

    #[test]
    fn arbitrary_bytes_do_no_harm(data: Vec<u8>) {
        super::link_json(&data);
        super::identity(&data);
    }
}
