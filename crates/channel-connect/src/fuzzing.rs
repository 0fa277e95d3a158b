//! Bodies of the fuzz targets: whatever the bytes say, nothing panics and the promises hold.

use crate::{Introduction, Presented};

/// Reads bytes as what a router relays unencrypted; what was read is read again from what is written.
pub fn introduction(data: &[u8]) {
    presented(data);
    let Ok(introduction) = Introduction::from_bytes(data) else {
        return;
    };
    if let Ok(bytes) = introduction.to_bytes() {
        let again = Introduction::from_bytes(&bytes).expect("what we write can be read");
        assert_eq!(again, introduction);
    }
}

fn presented(data: &[u8]) {
    let Ok(presented) = Presented::from_bytes(data) else {
        return;
    };
    if let Ok(bytes) = presented.to_bytes() {
        let again = Presented::from_bytes(&bytes).expect("what we write can be read");
        assert_eq!(again, presented);
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use proptest::prelude::*;
    use telehash_hashname::{Csid, KeySet};

    use super::*;

    proptest! {
        #[test]
        fn no_bytes_break_an_introduction(data in proptest::collection::vec(any::<u8>(), 0..300)) {
            introduction(&data);
        }

        #[test]
        fn no_changed_byte_breaks_an_introduction(at in 0_usize..150, to in any::<u8>()) {
            let mut keys = KeySet::new();
            keys.insert_key(Csid::CS3A, vec![7; 32]).unwrap();
            keys.insert_key(Csid::CS1A, vec![5; 21]).unwrap();
            let first = Introduction::of_each(&keys).next().unwrap();
            let mut bytes = first.to_bytes().unwrap();
            if let Some(byte) = bytes.get_mut(at) {
                *byte = to;
            }
            introduction(&bytes);
        }

        #[test]
        fn a_uri_is_read_as_it_was_presented(uri in ".{0,200}", at in any::<u64>()) {
            let bytes = Presented::new(uri.clone(), at).to_bytes().unwrap();
            presented(&bytes);
            prop_assert_eq!(Presented::from_bytes(&bytes).unwrap().uri, uri);
        }

        #[test]
        fn no_changed_byte_breaks_a_presented_uri(at in 0_usize..60, to in any::<u8>()) {
            let mut bytes = Presented::new("link://192.0.2.1/?sid=a#b.c", 5).to_bytes().unwrap();
            if let Some(byte) = bytes.get_mut(at) {
                *byte = to;
            }
            introduction(&bytes);
        }
    }
}
