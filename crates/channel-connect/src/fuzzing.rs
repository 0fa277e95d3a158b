//! Bodies of the fuzz targets: whatever the bytes say, nothing panics and the promises hold.

use crate::Introduction;

/// Reads bytes as an introduction; what was read is read again from what is written.
pub fn introduction(data: &[u8]) {
    let Ok(introduction) = Introduction::from_bytes(data) else {
        return;
    };
    if let Ok(bytes) = introduction.to_bytes() {
        let again = Introduction::from_bytes(&bytes).expect("what we write can be read");
        assert_eq!(again, introduction);
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
    }
}
