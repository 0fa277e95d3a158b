//! The fuzz body on seeds and on seeds with a few bytes changed, in every test run.

use alloc::vec::Vec;
use proptest::prelude::*;

const SEEDS: [&str; 13] = [
    "link://127.0.0.1:42424/?foo=bar&paths=pmrhi6lqmurduitvmrydiirmejuxair2eiytsmroge3dqlrqfyztmirmejyg64tuei5dimrugi2h2",
    "link://127.0.0.1:42424?cs1a=aitszst66gnrnbf5fe5q6hncyxaes6sh4y&cs3a=bouqamijm4lsv5kao3n3wycqivrpysaclqqdxsujteedbrdkrqjq",
    "link://user:word@[2001:db8::1]:1/a/b?%63s3a=aa&cs3a=ae#frag.ment",
    "https://b\u{fc}cher.example/?q=%F0%9F%92%A9&=&a=b=c&cszz=1#",
    "chat:///?id=abc&id=abc&paths=my&paths=",
    "link://?cs42=aa&cs42=aa",
    "127.0.0.1:5",
    "tls://1.2.3.4",
    "link://1.2.3.4/?inv=a4dqobyha4dqobyha4dqobyhae&cs3a=aa",
    "link://r/?sid=a4dqobyha4dqobyha4dqobyhae#6scqt32j2ewsa.aebagbafaydqq",
    "link://127.0.0.1/?sid=42#aebagbafaydqr5efbhxutujnea",
    "link://0x7f.1:65535//x",
    "http://xn--bcher-kva.example:80?%ff%20+",
];

/// A seed with some bytes replaced and the end cut off.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let changes = proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
    (prop::sample::select(&SEEDS[..]), changes, 0..8usize).prop_map(|(seed, changes, cut)| {
        let mut data: Vec<u8> = seed.bytes().collect();
        for (index, byte) in changes {
            let at = index.index(data.len());
            // Delimiters get further than arbitrary bytes.
            data[at] = b":/?#[]@!&=+%.-_~0123456789csap"[usize::from(byte) % 30];
        }
        data.truncate(data.len().saturating_sub(if cut < 6 { 0 } else { cut }));
        data
    })
}

#[test]
fn the_seeds_can_be_read() {
    for seed in SEEDS {
        assert!(crate::LinkUri::parse(seed).is_ok(), "{seed}");
        super::uri(seed.as_bytes());
    }
}

proptest! {
    #[test]
    fn uris_hold_their_properties(data in mutated()) {
        super::uri(&data);
    }

    #[test]
    fn arbitrary_texts_do_no_harm(host: alloc::string::String, data: Vec<u8>) {
        super::uri(&data);
        super::uri(alloc::format!("link://{host}").as_bytes());
        super::uri(alloc::format!("link://h/?{host}=").as_bytes());
    }
}
